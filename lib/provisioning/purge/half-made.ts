import { Injectable } from '@nestjs/common';
import { isOutage } from '../../common/outage';
import type { SqlExecutor } from '../../common/sql';
import { TenantLookup } from '../../registry/cache/tenant-lookup';
import { placeOf } from '../../placement/place';
import type { Tenant } from '../../registry/tenant';
import { TenantStore } from '../../registry/store/tenant.store';
import { Homes } from '../homes/homes';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { PurgeRecords } from './purge-records';
import { Template } from '../template/template';

export interface HalfMadeReport {
  readonly activated: readonly string[];
  readonly removed: readonly string[];
}

/** SQL: the key of the advisory lock that says that the tenant $1 is being made. */
const MAKING = `pg_catalog.hashtextextended('tenancy makes ' || $1, 0)`;

/**
 * Keeps the sweeper's hands off a tenant until the caller's transaction, which makes its schema, ends. To be called before the
 * tenant's row is inserted, if that is committed earlier.
 */
export async function lockHalfMade(transaction: SqlExecutor, tenantId: string): Promise<void> {
  await transaction.query(`SELECT pg_catalog.pg_advisory_xact_lock(${MAKING})`, [tenantId]);
}

async function isBeingMade(transaction: SqlExecutor, tenantId: string): Promise<boolean> {
  const [{ isFree }] = (await transaction.query(
    `SELECT pg_catalog.pg_try_advisory_xact_lock(${MAKING}) AS "isFree"`,
    [tenantId],
  )) as { isFree: boolean }[];
  return !isFree;
}

/**
 * Tenants with the status `provisioning`, whose creation was interrupted between a store outside the database and the
 * database. The schema, everything in it and its comment are committed together, so a schema with the comment is
 * complete. A schema to be adopted existed before, and has no such comment.
 */
@Injectable()
export class HalfMade {
  constructor(
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly template: Template,
    private readonly lookup: TenantLookup,
    private readonly homes: Homes,
    private readonly records: PurgeRecords,
  ) {}

  /**
   * Activates the tenants whose schema exists, and removes the others, which frees their slugs. `onFailure` is called
   * for a tenant that could not be handled, and when the list could not be read to its end; what was done before is
   * still reported.
   */
  async sweep(onFailure: (what: string, error: unknown) => void): Promise<HalfMadeReport> {
    const activated: string[] = [];
    const removed: string[] = [];
    const settle = async (tenant: Tenant): Promise<void> => {
      const outcome = await this.settle(tenant);
      if (outcome === 'activated') activated.push(tenant.slug);
      if (outcome === 'removed') removed.push(tenant.slug);
    };
    const away = new Set<string>();
    try {
      for await (const tenant of this.store.each({ status: 'provisioning' })) {
        const { server } = placeOf(tenant);
        // Each try on a server that says nothing takes its time, and the tenants of other servers would wait.
        if (away.has(server)) continue;
        await settle(tenant).catch((error: unknown) => {
          if (isOutage(error)) away.add(server);
          onFailure(`settle the half-made tenant "${tenant.slug}"`, error);
        });
      }
    } catch (error) {
      onFailure('read on the list of half-made tenants', error);
    }
    return { activated, removed };
  }

  /** Activates one of them, or removes it. `undefined`: it is none any more. */
  async settle(tenant: Tenant): Promise<'activated' | 'removed' | undefined> {
    const { id } = tenant;
    const home = this.homes.of(tenant);
    const hasSchema = await this.transactions.run(async (manager) => {
      // A copy of a large tenant takes longer than from one sweep to the next.
      if (await isBeingMade(manager, id)) return undefined;
      // Creations by an older version hold only this lock, so all of them that were running have now ended.
      await this.template.lockExclusive(manager);
      return home.isComplete(manager, tenant);
    }, placeOf(tenant).server);
    if (hasSchema === undefined) return undefined;
    const now = await this.store.find({ by: 'id', value: id });
    if (now?.status !== 'provisioning') return undefined;
    this.lookup.forget(now);
    if (!hasSchema) {
      // Before the row: what is forgotten without a row would never be found again.
      await this.transactions.inRegistry((manager) => this.records.forget(manager, id));
      await this.store.remove(id);
      return 'removed';
    }
    await home.finish(now);
    const expected = { status: ['provisioning' as const] };
    return (await this.store.update(id, { status: 'active' }, { expected })) ? 'activated' : undefined;
  }
}
