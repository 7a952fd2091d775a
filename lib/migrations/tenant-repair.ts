import { Injectable } from '@nestjs/common';
import type { EntityManager, QueryRunner } from 'typeorm';
import { messageOf } from '../common/error-message';
import type { SqlExecutor } from '../common/sql';
import { TenantContext } from '../context/tenant-context';
import { OwnSessions } from '../connection/typeorm/own-sessions';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { statementsOf } from '../schema/repairs';
import { SchemaNotFoundError } from '../schema/schema.errors';
import { type Site, siteOf } from '../placement/place';
import { OpenMoves } from '../provisioning/open-moves';
import type { Tenant } from '../registry/tenant';
import { TenantStore } from '../registry/store/tenant.store';
import type { TenantDrift } from './drift-report';
import { MigrationLedger } from './migration-ledger';
import {
  type DriftStandard,
  type RepairableDifference,
  SchemaDrift,
  toDriftDifference,
} from './schema-drift';
import { untilStill } from './until-still';

/** Finds how one tenant differs from the template of its server, and repairs it. */
@Injectable()
export class TenantRepair {
  constructor(
    private readonly store: TenantStore,
    private readonly context: TenantContext,
    private readonly transactions: SystemTransactions,
    private readonly sessions: OwnSessions,
    private readonly drift: SchemaDrift,
    private readonly ledger: MigrationLedger,
    private readonly moves: OpenMoves,
  ) {}

  /** `undefined` when it does not differ after all, or was purged in the meantime. */
  async look(standard: DriftStandard, tenant: Tenant): Promise<TenantDrift | undefined> {
    const { found, pending } = await this.#read(standard, tenant);
    if (found === 'gone') return this.#gone(tenant, pending);
    return found.length === 0 ? undefined : toDrift(tenant, pending, found);
  }

  /** Runs the safe repairs, all or none, and returns what then differs. */
  async repair(
    standard: DriftStandard,
    tenant: Tenant,
    lockTimeoutMs: number,
  ): Promise<TenantDrift | undefined> {
    const { found, pending } = await this.#read(standard, tenant);
    if (found === 'gone') return this.#gone(tenant, pending);
    const statements = pending.length > 0 ? [] : safeStatements(found);
    if (statements.length === 0) return found.length === 0 ? undefined : toDrift(tenant, pending, found);
    try {
      await this.moves.keepAway(tenant, 'be repaired', () => this.#run(tenant, statements, lockTimeoutMs));
    } catch (error) {
      const message = messageOf(error);
      return { ...toDrift(tenant, pending, found), error: message };
    }
    const left = await this.#read(standard, tenant);
    return { ...toDrift(tenant, pending, left.found === 'gone' ? [] : left.found), repaired: statements };
  }

  #read(standard: DriftStandard, tenant: Tenant) {
    const site = siteOf(tenant);
    const compare = (manager: EntityManager) => this.#compare(manager, standard, tenant.schemaName);
    const read = async (manager: EntityManager) => {
      const pending = await this.ledger.pendingOf(manager, tenant.id);
      const isHere = site.database === undefined;
      return { pending, found: await (isHere ? compare(manager) : this.#compareIn(site, compare)) };
    };
    return untilStill(() => this.transactions.run(read, site.server));
  }

  async #compareIn(
    site: Site,
    compare: (manager: EntityManager) => Promise<RepairableDifference[] | 'gone'>,
  ): Promise<RepairableDifference[] | 'gone'> {
    try {
      return await this.transactions.run(compare, site);
    } catch (error) {
      if (saysNoDatabase(error)) return 'gone';
      throw error;
    }
  }

  async #compare(
    executor: SqlExecutor,
    standard: DriftStandard,
    schemaName: string,
  ): Promise<RepairableDifference[] | 'gone'> {
    try {
      return await this.drift.compare(executor, standard, schemaName);
    } catch (error) {
      if (error instanceof SchemaNotFoundError) return 'gone';
      throw error;
    }
  }

  async #gone(tenant: Tenant, pending: readonly string[]): Promise<TenantDrift | undefined> {
    if (!(await this.store.find({ by: 'id', value: tenant.id }))) return undefined;
    const moved = await this.moves
      .requireNone(tenant, 'be compared')
      .catch((error: unknown) => error as Error);
    if (moved) return { ...toDrift(tenant, pending, []), error: moved.message };
    const object = `schema ${tenant.schemaName}`;
    const sentences = [`The ${object} is missing. Restore it from a backup, or delete and purge the tenant.`];
    const differences = [{ object, kind: 'missing', sentences, repair: null, isSafe: false } as const];
    return { ...toDrift(tenant, pending, []), differences };
  }

  /** In a session of its own: its search path is the schema's, and its caches end with it. */
  #run(tenant: Tenant, statements: readonly string[], lockTimeoutMs: number): Promise<void> {
    const work = async (session: QueryRunner) => {
      await session.startTransaction('READ COMMITTED');
      await session.query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [`${lockTimeoutMs}`]);
      for (const statement of statements) await session.query(statement);
      await session.commitTransaction();
    };
    return this.context.run(tenant, () => this.sessions.run(work, { schemaName: tenant.schemaName }));
  }
}

/** Whether PostgreSQL has no database of that name: SQLSTATE invalid_catalog_name. */
export function saysNoDatabase(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === '3D000';
}

function safeStatements(found: readonly RepairableDifference[]): string[] {
  return statementsOf(found.flatMap(({ repair }) => (repair?.isSafe ? [repair] : [])));
}

function toDrift(
  { id: tenantId, slug, schemaName }: Tenant,
  pending: readonly string[],
  found: readonly RepairableDifference[],
): TenantDrift {
  return { tenantId, slug, schemaName, pending, differences: found.map(toDriftDifference), repaired: [] };
}
