import { Injectable } from '@nestjs/common';
import { compileBlueprint } from '../schema/blueprint';
import { replayBlueprint, verifyClone } from '../schema/clone';
import type { Tenant } from '../tenant/tenant';
import { InvalidTransitionError, TenantNotFoundError } from '../tenant/tenant.errors';
import { TenantStore } from '../tenant/tenant.store';
import { isUuid } from '../tenant/uuid';
import { SystemTransactions } from './system-transactions';
import { type Mask, withRows } from './template-data';
import type { Making } from './tenant-maker';

/** A tenant to be copied. */
export interface CopySource {
  readonly tenant: Tenant;
  /** Its tables, quoted and qualified. */
  readonly tables: readonly string[];
}

/** The schema of a new tenant, made from that of another one with its rows. */
@Injectable()
export class TenantCopy {
  constructor(
    private readonly store: TenantStore,
    private readonly transactions: SystemTransactions,
  ) {}

  /** @throws TenantNotFoundError, InvalidTransitionError */
  async prepare(source: string): Promise<CopySource> {
    const tenant = await this.store.find({ by: isUuid(source) ? 'id' : 'slug', value: source });
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status !== 'active' && tenant.status !== 'suspended')
      throw new InvalidTransitionError(tenant.slug, tenant.status, 'be cloned');
    const found = await this.transactions.run((manager) =>
      manager.query<{ name: string }[]>(
        `SELECT pg_catalog.format('%I.%I', schemaname, tablename) AS name FROM pg_catalog.pg_tables WHERE schemaname = $1`,
        [tenant.schemaName],
      ),
    );
    return { tenant, tables: found.map(({ name }) => name) };
  }

  /** Needs a transaction under REPEATABLE READ that has done nothing yet: all rows are read as of one moment. */
  async build(
    { manager, insert }: Making,
    source: CopySource,
    schemaName: string,
    mask?: Mask,
  ): Promise<void> {
    const { tenant, tables } = source;
    // Unlike a SELECT, LOCK takes no snapshot; so what it had to wait for is seen, and the structure stays as it is.
    if (tables.length > 0)
      await manager.query(`LOCK TABLE ONLY ${tables.join(', ONLY ')} IN ACCESS SHARE MODE`);
    // A policy that hid rows from the owner would lose them in silence; this way it is an error.
    await manager.query('SET LOCAL row_security = off');
    await insert({ schemaName, templateVersion: tenant.templateVersion });
    const compiled = await compileBlueprint(manager, tenant.schemaName, { filled: 'all' });
    const blueprint = await withRows(manager, compiled, 'all', mask);
    await replayBlueprint(manager, blueprint, schemaName);
    await verifyClone(manager, blueprint, schemaName);
    await manager.query('SET LOCAL row_security = on');
  }
}
