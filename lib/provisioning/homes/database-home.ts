import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { ADMIN_DATA_SOURCE } from '../../connection/typeorm/tenant-data-source';
import { TenantContext } from '../../context/tenant-context';
import { placeOf } from '../../placement/place';
import { OWN_NAME } from '../../registry/schema-name';
import type { Tenant } from '../../registry/tenant';
import { DATABASE_MARK, DATABASE_SERVER, DatabaseMarks, type Located } from '../marks/database-marks';
import type { DroppedPart, DroppedTable } from '../marks/schema-drop';
import { SchemaMarks, tenantComment } from '../marks/schema-marks';
import { PurgeBlockedError } from '../provisioning.errors';
import { dropTenantRole } from '../roles/role-grants';
import { TenantRoles } from '../roles/tenant-roles';
import { OwnLedger } from '../template/own-ledger';
import { TenantVersions } from '../template/tenant-versions';
import { DatabaseRows } from './database-rows';
import { type Draft, type FoundHome, type MakeSteps, TenantHome } from './tenant-home';
import { TenantDatabases } from './tenant-databases';
import { Turns } from './turns';
import { unborn } from './unborn';

/** Each database that is being made has two sessions that are none of the pool's. */
const MADE_AT_ONCE = 2;

/** SQLSTATE object_in_use: prepared transactions, replication slots and subscriptions keep a database. */
const OBJECT_IN_USE = '55006';
const INSUFFICIENT_PRIVILEGE = '42501';

/** A database for each tenant, with the tenant's schema in it. Both have one name. */
@Injectable()
export class DatabaseHome extends TenantHome {
  readonly #turns = new Turns(MADE_AT_ONCE);

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly databases: TenantDatabases,
    private readonly rows: DatabaseRows,
    private readonly marks: DatabaseMarks,
    private readonly schemaMarks: SchemaMarks,
    private readonly versions: TenantVersions,
    private readonly ledger: OwnLedger,
    private readonly roles: TenantRoles,
  ) {
    super();
  }

  /**
   * The tenant's row is there before its database, and the database before what is in it. What a crash leaves in between is
   * settled by the sweeper: the comment is committed with the rest, so a database that has it is complete.
   */
  async make(draft: Draft, steps: MakeSteps): Promise<void> {
    const { server } = draft.place;
    await this.databases.requirePossible(server);
    await this.#turns.take(() =>
      this.databases.keeping(server, async (keeper) => {
        await this.schemaMarks.registryId(keeper);
        const plan = await steps.choose(keeper);
        await steps.note(keeper);
        const name = plan.schemaName;
        const tenant = unborn({ ...draft, schemaName: name });
        if (plan.fill) {
          await this.databases.lock(keeper, name);
          await this.databases.create(server, name);
        }
        const seen = await this.versions.list(keeper, draft.id);
        const shared = await this.databases.listShared(keeper);
        await this.context.runUnborn(tenant, () =>
          this.dataSource.transaction('READ COMMITTED', async (manager) => {
            if (plan.fill) await this.prepare(manager, { schemaName: name, server }, shared);
            await this.ledger.record(manager, draft.id, seen);
            await steps.fill(manager, plan);
            await this.marks.write(manager, { schemaName: name, server }, tenantComment(draft.slug));
          }),
        );
        await this.databases.release(keeper, name);
      }),
    );
  }

  /** All that a new database needs before its schema. */
  async prepare(manager: EntityManager, home: Located, shared: readonly string[]): Promise<void> {
    await this.databases.close(manager, home.schemaName, await this.roles.loginRole());
    await this.databases.prepareShared(manager, home.server, shared);
    await this.ledger.make(manager);
    await this.roles.openEventDoor(manager);
  }

  isComplete(transaction: EntityManager, tenant: Tenant): Promise<boolean> {
    return this.marks.isOfTenant(transaction, located(tenant), tenant.slug);
  }

  async finish(tenant: Tenant): Promise<void> {
    await this.ledger.copy(tenant);
    await this.databases.forget(placeOf(tenant).server, tenant.schemaName);
  }

  async discard(home: Located): Promise<void> {
    const { schemaName, server } = home;
    const isBeingCreated = await this.databases.keeping(server, async (keeper) => {
      await this.marks.requireOurs(keeper, home);
      return this.databases.isBeingCreated(keeper, schemaName);
    });
    await this.databases.drop(server, schemaName);
    // Its connection was lost, and it may be there in a moment: the sweeper drops what is noted.
    if (!isBeingCreated) await this.databases.keeping(server, (keeper) => this.#forget(keeper, schemaName));
  }

  requireDroppable(transaction: EntityManager, tenant: Tenant): Promise<void> {
    return this.marks.requireOurs(transaction, located(tenant));
  }

  async dropNextPart(transaction: EntityManager, home: Located, isCounted: boolean): Promise<DroppedPart> {
    const { schemaName, server } = home;
    await this.marks.requireOurs(transaction, home);
    const found = await this.marks.find(transaction, schemaName);
    if (found && !found.isBroken && !isCounted) {
      // In a transaction of its own, because after the drop nobody can count them.
      const tables = await this.#measure(home);
      if (tables.length > 0) return { tables, isLast: false };
    }
    if (found) await this.#drop(server, schemaName);
    await this.#forget(transaction, schemaName);
    return { tables: [], isLast: true };
  }

  async #drop(server: string, name: string): Promise<void> {
    try {
      await this.databases.drop(server, name);
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      if (code !== OBJECT_IN_USE && code !== INSUFFICIENT_PRIVILEGE) throw error;
      throw new PurgeBlockedError(
        name,
        `PostgreSQL does not drop its database: ${message}. ` +
          (code === OBJECT_IN_USE
            ? 'Take away what keeps it (prepared transactions, replication slots, subscriptions), then call purge again.'
            : 'The role must own the database, and may have to end the sessions of others in it: GRANT pg_signal_backend to it.'),
        { cause: error },
      );
    }
  }

  /** The role of the tenant goes with the database, in which it had its rights. */
  async #forget(transaction: EntityManager, name: string): Promise<void> {
    await this.databases.release(transaction, name);
    await dropTenantRole(transaction, name);
  }

  #measure({ schemaName, server }: Located): Promise<DroppedTable[]> {
    return this.databases.inside({ server, database: schemaName }, (session) => measure(session, schemaName));
  }

  async listHolders({ schemaName, server }: Located): Promise<string[]> {
    return this.databases.keeping(server, async (keeper) => {
      const found = await keeper.query<{ holder: string }[]>(
        `SELECT pg_catalog.format('process %s, %s since %s', pid, state, pg_catalog.to_char(state_change, 'HH24:MI:SS')) AS holder
         FROM pg_catalog.pg_stat_activity WHERE datname = $1`,
        [schemaName],
      );
      return found.map(({ holder }) => holder);
    });
  }

  async comment(
    transaction: EntityManager,
    tenant: Pick<Tenant, 'schemaName' | 'slug' | 'place'>,
  ): Promise<void> {
    await this.marks.requireOurs(transaction, located(tenant));
    await this.marks.write(transaction, located(tenant), tenantComment(tenant.slug));
  }

  /** Those that say so. Another may be another application's, even in another database, whose tables we do not see. */
  async listFound(transaction: EntityManager, server: string): Promise<FoundHome[]> {
    return transaction.query<FoundHome[]>(
      `SELECT d.datname::text AS name, ${DATABASE_MARK} AS owner FROM pg_catalog.pg_database d WHERE d.datname ~ $1
         AND ${DATABASE_SERVER} = $2 AND ${DATABASE_MARK} = $3
         AND NOT EXISTS (SELECT FROM ${this.databases.noted} WHERE name = d.datname) ORDER BY 1`,
      [OWN_NAME, server, await this.schemaMarks.registryId(transaction)],
    );
  }

  async isSpare(transaction: EntityManager, schemaName: string): Promise<boolean> {
    const found = await transaction.query<unknown[]>(`SELECT FROM ${this.databases.noted} WHERE name = $1`, [
      schemaName,
    ]);
    return found.length > 0;
  }

  ownerOf(transaction: EntityManager, home: Located): Promise<string | undefined> {
    return this.marks.ownerOf(transaction, home);
  }

  async hasOwnRows(transaction: EntityManager, home: Located): Promise<boolean> {
    const found = await this.marks.find(transaction, home.schemaName);
    // Nobody can enter a database that PostgreSQL has begun to drop.
    if (!found || found.isBroken) return false;
    return this.rows.hasOwn(transaction, home);
  }
}

function located(tenant: Pick<Tenant, 'schemaName' | 'place'>): Located {
  return { schemaName: tenant.schemaName, server: placeOf(tenant).server };
}

/** The tables of the schema, how many rows each has, and how large it is. */
async function measure(session: QueryRunner, schemaName: string): Promise<DroppedTable[]> {
  const tables = (await session.query(
    `SELECT c.relname::text AS name, pg_catalog.pg_total_relation_size(c.oid)::float8 AS bytes
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'm') ORDER BY 1`,
    [schemaName],
  )) as { name: string; bytes: number }[];
  const measured: DroppedTable[] = [];
  for (const { name, bytes } of tables) {
    const [{ rows }] = (await session.query(
      `SELECT pg_catalog.count(*)::float8 AS rows FROM ONLY ${quoteIdentifier(schemaName)}.${quoteIdentifier(name)}`,
    )) as { rows: number }[];
    measured.push({ name, rows, bytes });
  }
  return measured;
}
