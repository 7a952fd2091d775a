import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { CustomTypesConfig, FieldDef, PoolClient, QueryConfig, QueryResult } from 'pg';
import { DataSource } from 'typeorm';
import { isOutage } from '../../common/outage';
import { checkArguments } from '../../common/options/check-options';
import { abortSignal, integer, listOf } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import { TenantsFailedError } from '../../context/context.errors';
import { MAX_CONCURRENCY, TenantContext } from '../../context/tenant-context';
import { placeOf } from '../../placement/place';
import { isUuid } from '../../registry/claim';
import type { Tenant } from '../../registry/tenant';
import { TenantNotFoundError } from '../../registry/tenant.errors';
import { TenantStore } from '../../registry/store/tenant.store';
import { FleetTextError } from '../connection.errors';
import { Handover } from './handover';
import { type FleetText, readFleetText } from './fleet-text';
import { TENANT_DATA_SOURCE } from './tenant-data-source';

export class FleetQueryOptions {
  /** Only these, by slug or id, whatever their status. Default: every active tenant, in the order of creation. */
  @Option(listOf<string>('give a list of slugs or ids', (each) => typeof each === 'string'))
  readonly tenants?: readonly string[];

  /** How many tenants are asked at once: an integer from 1 to 1,000. Default 1. Keep it below the pool's size. */
  @Option(integer(1, MAX_CONCURRENCY))
  readonly concurrency: number = 1;

  /** Ends the query: the iterator throws the signal's reason. */
  @Option(abortSignal())
  readonly signal?: AbortSignal;
}

/** A row, and whose it is. */
export interface FleetRow<Row extends object> {
  /** The tenant's slug. */
  readonly tenant: string;
  readonly row: Row;
}

/** How many rows of a tenant are fetched at once. */
const FETCH = 100;

const CURSOR = 'nestjs_tenancy_fleet';

interface Batch<Row> {
  readonly slug: string;
  readonly rows: readonly Row[];
}

interface Question {
  readonly text: FleetText;
  readonly parameters: unknown[];
  /** Default those of `pg`. */
  readonly types: CustomTypesConfig | undefined;
}

/** A query of one iterator, as its workers see it. */
interface Asking<Row> extends Question {
  readonly handover: Handover<Batch<Row>>;
  /** Aborted when nobody takes rows any more. */
  readonly over: AbortSignal;
  /** Servers that could not be reached, and why. */
  readonly away: Map<string, unknown>;
}

/** Puts one question to all tenants. */
@Injectable()
export class FleetReader {
  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly store: TenantStore,
  ) {}

  /**
   * Rows of all tenants, one by one, each with the slug of its tenant. Each tenant is asked in a transaction of its own
   * that PostgreSQL lets read only. Rows are fetched as they are taken, so memory grows neither with the fleet nor with
   * its tables. An iterator that is left early gives its connections back.
   *
   * @param sql one statement that reads: SELECT, VALUES, TABLE, WITH, SHOW or EXPLAIN. Name tables without a schema, and
   * columns apart: a tenant whose rows have two of one name has failed
   * @throws FleetTextError, TypeError right away, for a text or options that cannot be used
   * @throws TenantsFailedError after the last row, naming each tenant that failed; some of its rows may have come before
   * @throws TenantNotFoundError before the first row, when one of `tenants` is not there
   * @throws TenancyUnavailableError, or what the store throws, when the list of tenants could not be read at all
   */
  query<Row extends object = Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[] = [],
    options: Partial<FleetQueryOptions> = {},
  ): AsyncGenerator<FleetRow<Row>, void, undefined> {
    return this.read<Row>(sql, parameters, options, undefined);
  }

  /** The same with values as `types` makes them of PostgreSQL's texts. @internal */
  read<Row extends object>(
    sql: string,
    parameters: readonly unknown[],
    options: Partial<FleetQueryOptions>,
    types: CustomTypesConfig | undefined,
  ): AsyncGenerator<FleetRow<Row>, void, undefined> {
    const checked = checkArguments('FleetReader.query()', FleetQueryOptions, options);
    if (!Array.isArray(parameters)) throw new TypeError('FleetReader.query() takes a list of parameters.');
    return this.#stream<Row>(
      { text: readFleetText(sql), parameters: [...(parameters as unknown[])], types },
      checked,
    );
  }

  async *#stream<Row extends object>(
    question: Question,
    { tenants: names, concurrency, signal }: FleetQueryOptions,
  ): AsyncGenerator<FleetRow<Row>, void, undefined> {
    signal?.throwIfAborted();
    const tenants = names ? (await this.#named(names)).values() : this.store.each({ status: 'active' });
    const ending = new AbortController();
    const end = () => ending.abort();
    signal?.addEventListener('abort', end);
    const handover = new Handover<Batch<Row>>();
    const asking = { ...question, handover, over: ending.signal, away: new Map<string, unknown>() };
    const failures: { tenant: Tenant; error: unknown }[] = [];
    let visited = 0;
    const worker = async () => {
      for await (const tenant of tenants) {
        if (ending.signal.aborted) return;
        visited++;
        await this.#ask(tenant, asking).catch((error: unknown) => failures.push({ tenant, error }));
      }
    };
    const workers = Promise.allSettled(Array.from({ length: concurrency }, worker)).finally(() =>
      handover.end(),
    );
    try {
      for (let batch = await handover.take(); batch; batch = await handover.take()) {
        for (const row of batch.rows) {
          if (signal?.aborted) break;
          yield { tenant: batch.slug, row };
        }
      }
    } finally {
      end();
      handover.end();
      signal?.removeEventListener('abort', end);
      await workers;
    }
    signal?.throwIfAborted();
    const broken = (await workers).find((outcome) => outcome.status === 'rejected');
    if (broken && visited === 0) throw broken.reason;
    if (broken || failures.length > 0)
      throw new TenantsFailedError(failures, { visited, listError: broken?.reason as unknown });
  }

  async #named(names: readonly string[]): Promise<Tenant[]> {
    const found = await this.store.findMany(
      names.map((value) => ({ by: isUuid(value) ? ('id' as const) : ('slug' as const), value })),
    );
    const tenants = found.filter((tenant) => tenant !== undefined);
    if (tenants.length < names.length) throw new TenantNotFoundError();
    return [...new Map(tenants.map((tenant) => [tenant.id, tenant])).values()];
  }

  async #ask<Row extends object>(tenant: Tenant, asking: Asking<Row>): Promise<void> {
    const { over, away } = asking;
    const { server } = placeOf(tenant);
    // Each try on a server that says nothing takes its time, and the tenants of other servers would wait.
    if (away.has(server)) throw away.get(server);
    await this.context.run(tenant, async () => {
      const queryRunner = this.dataSource.createQueryRunner();
      try {
        const client = await (queryRunner.connect() as Promise<PoolClient>).catch((error: unknown) => {
          if (isOutage(error)) away.set(server, error);
          throw error;
        });
        // The pool closes a connection that is given back while a statement is under way.
        const session = new ReadingSession(client, asking.types, () => void queryRunner.release());
        over.addEventListener('abort', session.leave);
        try {
          if (!over.aborted) await readAll(session, tenant.slug, asking);
        } finally {
          over.removeEventListener('abort', session.leave);
        }
      } catch (error) {
        if (!over.aborted) throw error;
      } finally {
        await queryRunner.release();
      }
    });
  }
}

/** One tenant's connection, for as long as it is read. */
class ReadingSession {
  #isBusy = false;
  #isLeft = false;

  constructor(
    private readonly client: PoolClient,
    private readonly types: CustomTypesConfig | undefined,
    private readonly drop: () => void,
  ) {}

  async query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]> {
    this.#isBusy = true;
    // In the protocol that takes no more than one statement.
    const config: QueryConfig & { queryMode: 'extended' } = {
      ...{ text, values, types: this.types },
      queryMode: 'extended',
    };
    const { rows, fields }: QueryResult<Row> = await this.client.query<Row>(config);
    this.#isBusy = false;
    requireApart(fields);
    return rows;
  }

  /** Nobody waits for rows any more. A statement that is under way is not waited for. */
  readonly leave = (): void => {
    if (!this.#isBusy || this.#isLeft) return;
    this.#isLeft = true;
    this.drop();
  };

  async rollBack(): Promise<void> {
    if (!this.#isLeft) await this.client.query('ROLLBACK').catch(() => undefined);
  }
}

async function readAll<Row extends object>(
  session: ReadingSession,
  slug: string,
  { text, parameters, handover, over }: Asking<Row>,
): Promise<void> {
  await session.query('START TRANSACTION READ ONLY');
  try {
    // It takes the snapshot, after which the transaction cannot be made one that writes. All rows will be read.
    await session.query(`SELECT pg_catalog.set_config('cursor_tuple_fraction', '1', true)`);
    if (!text.isRows) {
      await handover.give({ slug, rows: await session.query<Row>(text.sql, parameters) });
      return;
    }
    await session.query(`DECLARE ${CURSOR} NO SCROLL CURSOR FOR ${text.sql}`, parameters);
    for (let isWhole = false; !isWhole && !over.aborted;) {
      const rows = await session.query<Row>(`FETCH FORWARD ${FETCH} FROM ${CURSOR}`);
      isWhole = rows.length < FETCH;
      if (rows.length > 0) await handover.give({ slug, rows });
    }
  } finally {
    await session.rollBack();
  }
}

/** A row is an object: of two columns with one name it would have the last. */
function requireApart(fields: readonly FieldDef[]): void {
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new FleetTextError(`gives two columns named ${JSON.stringify(twice)}: name one of them with AS`);
}
