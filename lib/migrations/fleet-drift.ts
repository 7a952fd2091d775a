import { Injectable } from '@nestjs/common';
import type { EntityManager, QueryRunner } from 'typeorm';
import { messageOf } from '../common/error-message';
import { checkArguments } from '../common/options/check-options';
import { OwnSessions } from '../connection/typeorm/own-sessions';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { MAX_CONCURRENCY, TenantContext } from '../context/tenant-context';
import { DEFAULT_SERVER, placeOf, siteOf } from '../placement/place';
import type { Tenant } from '../registry/tenant';
import { TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { DriftOptions, type DriftReport, DriftTally, RepairOptions } from './drift-report';
import { FleetMembers } from './fleet-members';
import { orLeftOut, ServerLeftOutError } from './fleet-servers';
import { requireInteger } from './fleet-migrator.options';
import { TemplateMovedError } from './migrations.errors';
import { type DriftStandard, SchemaDrift } from './schema-drift';
import { saysNoDatabase, TenantRepair } from './tenant-repair';
import { saysMoving, untilStill } from './until-still';

/** How many schemas one query compares: enough to share the cost of planning it, and few enough to show progress. */
const TENANTS_PER_QUERY = 50;

/** A backend keeps 2 MB of caches for a schema of 30 tables, and frees them only when it ends. */
const QUERIES_PER_SESSION = 2;

/** Without a session: their database is not there. */
type Look = (tenants: readonly Tenant[], session: QueryRunner | undefined) => Promise<void>;
type Examine = (standard: DriftStandard, tenant: Tenant) => ReturnType<TenantRepair['look']>;

/** Finds tenants whose schemas differ from the template of their server, and repairs them where that is safe. */
@Injectable()
export class FleetDrift {
  constructor(
    private readonly store: TenantStore,
    private readonly context: TenantContext,
    private readonly sessions: OwnSessions,
    private readonly transactions: SystemTransactions,
    private readonly members: FleetMembers,
    private readonly drift: SchemaDrift,
    private readonly tenantRepair: TenantRepair,
  ) {}

  /**
   * How tenants differ from the template, in words. Takes no locks that anybody waits for. A further server that is away is
   * left out, and `halted` says so.
   *
   * @throws TenantNotFoundError, TemplateMovedError, RangeError for options out of bounds
   */
  async check(options: DriftOptions = {}): Promise<DriftReport> {
    const checked = checkArguments('FleetDrift.check()', DriftOptions, options);
    return this.#look(checked, async (standard, tenant) => this.tenantRepair.look(standard, tenant));
  }

  /**
   * The same after it has run the repairs that are safe, each tenant's in one transaction. Tenants that lack migrations
   * are left alone.
   *
   * @throws TenantNotFoundError, TemplateMovedError, RangeError for options out of bounds
   */
  async repair(given: RepairOptions = {}): Promise<DriftReport> {
    const checked = checkArguments('FleetDrift.repair()', RepairOptions, given);
    const { lockTimeoutMs = 5_000, ...options } = checked;
    requireInteger('lockTimeoutMs', lockTimeoutMs, 1);
    return this.#look(options, (standard, tenant) =>
      this.tenantRepair.repair(standard, tenant, lockTimeoutMs),
    );
  }

  async #look(
    { tenants, concurrency = 2, limit = 100, onProgress }: DriftOptions,
    examine: Examine,
  ): Promise<DriftReport> {
    requireInteger('concurrency', concurrency, 1, MAX_CONCURRENCY);
    requireInteger('limit', limit, 0);
    const start = performance.now();
    const tally = new DriftTally(limit);
    const halted: string[] = [];
    for (const [server, members] of await this.#byServer(tenants)) {
      try {
        const why = await this.#lookOn(server, members, concurrency, tally, examine, onProgress);
        if (why !== undefined) halted.push(why);
      } catch (error) {
        if (!(error instanceof ServerLeftOutError)) throw error;
        halted.push(`the server "${server}" was left out: ${error.message}`);
      }
    }
    return tally.report(performance.now() - start, halted.length > 0 ? halted.join(' ') : undefined);
  }

  /** Why it ended early, if it did. @throws ServerLeftOutError */
  async #lookOn(
    server: string,
    members: AsyncIterable<Tenant> | Iterable<Tenant>,
    concurrency: number,
    tally: DriftTally,
    examine: Examine,
    onProgress: DriftOptions['onProgress'],
  ): Promise<string | undefined> {
    const there = <T>(work: (manager: EntityManager) => Promise<T>) =>
      orLeftOut(server, () => this.transactions.run(work, server));
    const standard = await there((manager) => this.drift.readStandard(manager));
    const look: Look = async (group, session) => {
      const names = group.map(({ schemaName }) => schemaName);
      const different = session ? await this.#findDifferent(session, standard, names) : new Set(names);
      for (const tenant of group.filter(({ schemaName }) => different.has(schemaName))) {
        const found = await examine(standard, tenant);
        if (found) tally.add(found);
      }
      tally.checked += group.length;
      onProgress?.(tally.checked);
    };
    const halted = await this.#inSessions(server, inGroups(members), concurrency, look).then(
      () => undefined,
      (error: unknown) => {
        // The report still shows what was found and repaired. An error before that is thrown.
        if (tally.checked === 0 || error instanceof ServerLeftOutError) throw error;
        return `it failed after ${tally.checked} tenants: ${messageOf(error)}`;
      },
    );
    const now = await there((manager) => this.drift.hashTemplate(manager, standard.hashQuery));
    if (now !== standard.hash) throw new TemplateMovedError();
    return halted;
  }

  /** The tenants of each server that has any, and of the registry's. */
  async #byServer(
    references: readonly string[] | undefined,
  ): Promise<Map<string, AsyncIterable<Tenant> | Tenant[]>> {
    if (references) {
      const found = new Map<string, Tenant[]>();
      for (const tenant of await this.#find(references)) {
        const { server } = placeOf(tenant);
        found.set(server, [...(found.get(server) ?? []), tenant]);
      }
      return found;
    }
    const counts = [...(await this.members.countByServer())];
    const servers = counts.filter(([server, count]) => server === DEFAULT_SERVER || count > 0);
    return new Map(servers.map(([server]) => [server, this.members.all(server)]));
  }

  /**
   * When somebody drops an object during the comparison, the query fails for all of its schemas. Then each is compared
   * alone.
   */
  async #findDifferent(
    session: QueryRunner,
    standard: DriftStandard,
    names: readonly string[],
  ): Promise<Set<string>> {
    const ask = (some: readonly string[]) =>
      inTransaction(session, () => this.drift.findDifferent(session, standard, some));
    try {
      return await ask(names);
    } catch (error) {
      if (!saysMoving(error)) throw error;
    }
    const different = new Set<string>();
    for (const name of names) {
      for (const found of await untilStill(() => ask([name]))) different.add(found);
    }
    return different;
  }

  /** Each worker opens a new session from time to time, so that no backend's memory grows with the fleet. */
  async #inSessions(
    server: string,
    groups: AsyncIterator<Tenant[]>,
    concurrency: number,
    look: Look,
  ): Promise<void> {
    let failed = false;
    /** Ends with a group that is in another database, or with none. */
    const visit = async (session: QueryRunner, group: Tenant[]): Promise<IteratorResult<Tenant[]>> => {
      let next: IteratorResult<Tenant[]> = { value: group };
      for (
        let count = 0;
        !next.done && count < QUERIES_PER_SESSION && isTogether(next.value, group);
        count++
      ) {
        await look(next.value, session);
        next = await groups.next();
      }
      return next;
    };
    const worker = async (): Promise<void> => {
      for (let next = await groups.next(); !next.done && !failed;) {
        const group = next.value;
        const run = () => this.sessions.run((session) => visit(session, group), { isRequired: false });
        next = await orLeftOut(server, () => this.context.runAsSystem(run, siteOf(group[0]))).catch(
          async (error: unknown) => {
            if (!saysNoDatabase(error)) throw error;
            await look(group, undefined);
            return groups.next();
          },
        );
      }
    };
    const guarded = () =>
      worker().catch((error: unknown) => {
        failed = true;
        throw error;
      });
    const outcomes = await Promise.allSettled(Array.from({ length: concurrency }, guarded));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #find(references: readonly string[]): Promise<Tenant[]> {
    const found = await this.store.findMany(
      references.map((value) => ({ by: isUuid(value) ? 'id' : 'slug', value })),
    );
    if (found.some((tenant) => tenant === undefined)) throw new TenantNotFoundError();
    return found as Tenant[];
  }
}

function isTogether([one]: readonly Tenant[], [other]: readonly Tenant[]): boolean {
  return siteOf(one).database === siteOf(other).database;
}

/** Those of one database together: a tenant that has its own is a group by itself. */
async function* inGroups(tenants: AsyncIterable<Tenant> | Iterable<Tenant>): AsyncGenerator<Tenant[]> {
  let group: Tenant[] = [];
  for await (const tenant of tenants) {
    if (siteOf(tenant).database !== undefined) {
      yield [tenant];
      continue;
    }
    if (group.push(tenant) < TENANTS_PER_QUERY) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

async function inTransaction<T>(session: QueryRunner, work: () => Promise<T>): Promise<T> {
  await session.startTransaction('READ COMMITTED');
  try {
    const result = await work();
    await session.commitTransaction();
    return result;
  } catch (error) {
    // The first error is the cause.
    await session.rollbackTransaction().catch(() => undefined);
    throw error;
  }
}
