import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { messageWithCause } from '../../common/error-message';
import { SharedRuns } from '../../common/shared-runs';
import { lockUntilEnd, quoteIdentifier } from '../../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry';
import { registrySchema } from '../registry-schema';
import { roleOfSchemaSql } from '../tenant-role';
import { inRegistry } from '../store/registry-transaction';
import { faultOfEvent } from './event-rules';
import { hashOfEvent, type StoredEvent } from './event-hash';
import { NOBODY } from './event-tables';
import { RoleLookUp } from './role-look-up';
import { NO_HASH } from './tenant-event';

/** What is taken at once, in rows and in bytes of their data. */
const BATCH_ROWS = 500;
const BATCH_BYTES = 4_000_000;

/** Where more is recorded than can be sealed, a reader does not wait for ever. */
const BATCHES_AT_ONCE = 100;

/** Of events that are dropped, so many are named in the log. */
const TOLD_AT_ONCE = 20;

/** SQL. `$1`: tenants whose events are to wait. */
const NOT_HELD = '(tenant_id IS NULL OR tenant_id <> ALL ($1::uuid[]))';

/** A row of the outbox of another database, with the names of its columns. */
export type FetchedEvent = Readonly<Record<string, unknown>> & { readonly n: string };

/** Where else events wait. */
export interface EventSource {
  /** Takes what waits there, as far as it concerns the tenant; without an id, all. It logs what it cannot reach in time. */
  fetch(tenantId?: string | null): Promise<void>;
}

/** A row of the outbox, with what is known of the tenant's last event. */
type WaitingRow = Omit<StoredEvent, 'sequence' | 'previousHash'> & {
  readonly n: string;
  readonly headSequence: string | null;
  readonly headHash: string | null;
  /** It is in the trail already. */
  readonly isKnown: boolean;
  /** The role that came by the door. */
  readonly roleName: string | null;
  /** The tenant's. `null`: the registry's own tables do not have the tenant. */
  readonly ownRole: string | null;
};

type SealedRow = StoredEvent & { readonly n: string; readonly hash: string };

/**
 * Gives each event that was committed its place in the trail: the next number of its tenant, the next of all, and the hash
 * that chains it to the one before. It is done by one instance at a time, so that whoever reads up to a position will never find
 * an event ahead of it later.
 */
@Injectable()
export class EventSealer {
  readonly #logger = new Logger('Tenancy');
  readonly #schema: string;
  readonly #seals = new SharedRuns(() => this.#sealAll());
  readonly #sources = new Set<EventSource>();
  #isStoreAway = false;
  /** The role of a tenant that is in a store of the application's. While that cannot be told, the tenant's events wait. */
  roleElsewhere: (tenantId: string) => Promise<string | undefined> = () => Promise.resolve(undefined);

  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {
    this.#schema = quoteIdentifier(registrySchema(registry));
  }

  /** From now on this is fetched from as well. */
  addSource(source: EventSource): void {
    this.#sources.add(source);
  }

  /**
   * Seals all that was committed before the call, and returns how many events it were. Callers that come meanwhile share the next.
   *
   * @param tenantId whose events the caller is about to read. Default: those of all
   * @throws TenancyUnavailableError
   */
  async seal(tenantId?: string | null): Promise<number> {
    await this.fetch(tenantId);
    return this.#seals.next();
  }

  /** Takes along what waits in other databases, as far as it concerns the tenant and can be reached. */
  async fetch(tenantId?: string | null): Promise<void> {
    await Promise.all([...this.#sources].map((source) => source.fetch(tenantId)));
  }

  /**
   * Puts events of another database beside those that wait here, in their order, but none that is here already: who has
   * fetched them deletes them there afterwards, and may die in between.
   *
   * @throws TenancyUnavailableError
   */
  async take(events: readonly FetchedEvent[]): Promise<void> {
    await inRegistry(this.registry, async (manager) => {
      await this.#lock(manager);
      await manager.query(
        `INSERT INTO ${this.#schema}.tenant_event_outbox
           (id, tenant_id, type, actor_type, actor_id, subject, data, occurred_at, role_name)
         SELECT f.id, f.tenant_id, f.type, f.actor_type, f.actor_id, f.subject, f.data::json, f.occurred_at, f.role_name
         FROM pg_catalog.json_to_recordset($1) AS f (n bigint, id uuid, tenant_id uuid, type text, actor_type text,
           actor_id text, subject text, data text, occurred_at timestamptz, role_name text)
         WHERE NOT EXISTS (SELECT FROM ${this.#schema}.tenant_event_outbox o WHERE o.id = f.id)
           AND NOT EXISTS (SELECT FROM ${this.#schema}.tenant_events e WHERE e.id = f.id) ORDER BY f.n`,
        [JSON.stringify(events)],
      );
    });
  }

  async #sealAll(): Promise<number> {
    let sealed = 0;
    const lookUp = new RoleLookUp((tenantId) => this.roleElsewhere(tenantId));
    for (let batch = 0; batch < BATCHES_AT_ONCE; batch++) {
      if (!(await this.#isAnyWaiting(lookUp.failed))) break;
      sealed += await inRegistry(this.registry, (manager) => this.#sealBatch(manager, lookUp));
    }
    this.#tellOf(lookUp);
    return sealed;
  }

  /** Once, until all could be looked up. */
  #tellOf({ failed, error }: RoleLookUp): void {
    if (failed.size > 0 && !this.#isStoreAway)
      this.#logger.warn(
        `Events of ${failed.size} tenants wait, since their roles cannot be looked up: ${messageWithCause(error)}`,
      );
    this.#isStoreAway = failed.size > 0;
  }

  #isAnyWaiting(held: ReadonlySet<string>): Promise<boolean> {
    return inRegistry(this.registry, async ({ queryRunner }) => {
      const [{ found }] = (await queryRunner!.query(
        `SELECT EXISTS (SELECT FROM ${this.#schema}.tenant_event_outbox WHERE ${NOT_HELD}) AS found`,
        [[...held]],
      )) as { found: boolean }[];
      return found;
    });
  }

  async #sealBatch(manager: EntityManager, lookUp: RoleLookUp): Promise<number> {
    await this.#lock(manager);
    const all = await manager.query<WaitingRow[]>(this.#waiting(), [[...lookUp.failed]]);
    await lookUp.ask(all.filter(({ roleName, ownRole }) => roleName !== null && ownRole === null));
    // All of a tenant waits, so that its events stay in their order.
    const waiting = all.filter(({ tenantId }) => !lookUp.failed.has(tenantId!));
    const faults = new Map<string, string>();
    for (const row of waiting) {
      const fault = row.roleName === null ? undefined : faultOf(row, lookUp);
      if (fault !== undefined) faults.set(row.n, fault);
    }
    const sealed = chain(waiting.filter(({ n }) => !faults.has(n)));
    if (sealed.length < waiting.length) await this.#dropRefused(manager, waiting, sealed, faults);
    if (sealed.length > 0) await this.#write(manager, sealed);
    return sealed.length;
  }

  #lock(manager: EntityManager): Promise<void> {
    return lockUntilEnd(manager, `${this.#schema}.tenant_events`);
  }

  #waiting(): string {
    return `
      SELECT o.n, pg_catalog.nextval('${this.#schema}.tenant_event_positions') AS position, o.id, o.tenant_id AS "tenantId",
        o.type, o.actor_type AS "actorType", o.actor_id AS "actorId", o.subject, o.data::text,
        (pg_catalog.date_part('epoch', o.occurred_at) * 1000)::bigint AS "occurredMs",
        h.sequence AS "headSequence", pg_catalog.encode(h.hash, 'hex') AS "headHash",
        EXISTS (SELECT FROM ${this.#schema}.tenant_events e WHERE e.id = o.id) AS "isKnown",
        o.role_name AS "roleName", CASE WHEN o.role_name IS NOT NULL THEN (SELECT ${roleOfSchemaSql('t.schema_name')}::text
          FROM ${this.#schema}.tenants t WHERE t.id = o.tenant_id) END AS "ownRole"
      FROM (SELECT f.*, pg_catalog.sum(pg_catalog.octet_length(f.data::text)) OVER (ORDER BY f.n)
              - pg_catalog.octet_length(f.data::text) AS ahead
            FROM (SELECT * FROM ${this.#schema}.tenant_event_outbox WHERE ${NOT_HELD} ORDER BY n LIMIT ${BATCH_ROWS}) AS f) AS o
      LEFT JOIN ${this.#schema}.tenant_event_heads h ON h.tenant_id = coalesce(o.tenant_id, '${NOBODY}')
      WHERE o.ahead < ${BATCH_BYTES} ORDER BY o.n`;
  }

  /** Only who writes SQL on purpose gives an id twice, another tenant's, or what may not be said. It must not stop all others. */
  async #dropRefused(
    manager: EntityManager,
    waiting: readonly WaitingRow[],
    sealed: readonly SealedRow[],
    faults: ReadonlyMap<string, string>,
  ): Promise<void> {
    const kept = new Set(sealed.map(({ n }) => n));
    const dropped = waiting.filter(({ n }) => !kept.has(n));
    const told = dropped
      .slice(0, TOLD_AT_ONCE)
      .map(({ id, n }) => `${id}, because ${faults.get(n) ?? 'another has its id'}`);
    if (dropped.length > TOLD_AT_ONCE) told.push(`and ${dropped.length - TOLD_AT_ONCE} others`);
    this.#logger.warn(`Events were dropped: ${told.join('; ')}`);
    await manager.query(`DELETE FROM ${this.#schema}.tenant_event_outbox WHERE n = ANY ($1::bigint[])`, [
      dropped.map(({ n }) => n),
    ]);
  }

  /** The data goes from table to table. */
  async #write(manager: EntityManager, sealed: readonly SealedRow[]): Promise<void> {
    const heads = new Map(sealed.map((event) => [event.tenantId ?? NOBODY, event]));
    await manager.query(
      `WITH given AS (
         SELECT n, position, sequence, pg_catalog.decode(previous, 'hex') AS previous_hash, pg_catalog.decode(own, 'hex') AS hash
         FROM ROWS FROM (pg_catalog.unnest($1::bigint[]), pg_catalog.unnest($2::bigint[]), pg_catalog.unnest($3::bigint[]),
           pg_catalog.unnest($4::text[]), pg_catalog.unnest($5::text[])) AS g (n, position, sequence, previous, own)),
       taken AS (
         DELETE FROM ${this.#schema}.tenant_event_outbox o WHERE o.n = ANY ($1::bigint[]) RETURNING o.*),
       sealed AS (
         INSERT INTO ${this.#schema}.tenant_events (position, id, tenant_id, sequence, type, actor_type, actor_id, subject, data,
           occurred_at, previous_hash, hash)
         SELECT g.position, t.id, t.tenant_id, g.sequence, t.type, t.actor_type, t.actor_id, t.subject, t.data, t.occurred_at,
           g.previous_hash, g.hash FROM taken t JOIN given g ON g.n = t.n ORDER BY g.position)
       INSERT INTO ${this.#schema}.tenant_event_heads AS head (tenant_id, sequence, hash)
       SELECT tenant_id, sequence, pg_catalog.decode(hash, 'hex')
       FROM ROWS FROM (pg_catalog.unnest($6::uuid[]), pg_catalog.unnest($7::bigint[]), pg_catalog.unnest($8::text[]))
         AS h (tenant_id, sequence, hash)
       ON CONFLICT (tenant_id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash`,
      [
        ...columns(sealed, ({ n, position, sequence, previousHash, hash }) => [
          ...[n, position, sequence, previousHash, hash],
        ]),
        [...heads.keys()],
        ...columns([...heads.values()], ({ sequence, hash }) => [sequence, hash]),
      ],
    );
  }
}

/** Of what has come by the door, where nothing but its size was checked. */
function faultOf(row: WaitingRow, lookUp: RoleLookUp): string | undefined {
  if (row.roleName !== (row.ownRole ?? lookUp.roleOf(row.tenantId!)))
    return 'a role that is not the tenant’s has recorded it';
  return faultOfEvent(row);
}

function columns<Row>(rows: readonly Row[], values: (row: Row) => string[]): string[][] {
  const all = rows.map(values);
  return all[0].map((_, index) => all.map((row) => row[index]));
}

/** The events of a batch, in the order of `n`, each with its place. */
function chain(waiting: readonly WaitingRow[]): SealedRow[] {
  const heads = new Map<string | null, { sequence: bigint; hash: string }>();
  const ids = new Set<string>();
  // PostgreSQL promises no order in which it calls a function for rows that it sorts.
  const positions = waiting
    .map(({ position }) => BigInt(position))
    .sort((one, other) => (one < other ? -1 : 1));
  const sealed: SealedRow[] = [];
  for (const { headSequence, headHash, isKnown, ...row } of waiting) {
    if (isKnown || ids.has(row.id)) continue;
    ids.add(row.id);
    const head = heads.get(row.tenantId) ?? {
      sequence: BigInt(headSequence ?? 0),
      hash: headHash ?? NO_HASH,
    };
    const sequence = head.sequence + 1n;
    const event = {
      ...{ ...row, sequence: String(sequence), position: String(positions[sealed.length]) },
      previousHash: head.hash,
    };
    const hash = hashOfEvent(event);
    heads.set(row.tenantId, { sequence, hash });
    sealed.push({ ...event, hash });
  }
  return sealed;
}
