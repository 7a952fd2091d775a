import { Inject, Injectable } from '@nestjs/common';
import { compileBlueprint } from '../schema/blueprint';
import { replayBlueprint } from '../schema/clone';
import { verifyClone } from '../schema/verify';
import { placeOf } from '../placement/place';
import type { Tenant } from '../registry/tenant';
import { InvalidTransitionError, TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { type Mask, withRows } from './template/template-data';
import type { Making } from './tenant-maker';
import { listTables, lockTables } from './tenant-tables';

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
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws TenantNotFoundError, InvalidTransitionError */
  async prepare(source: string): Promise<CopySource> {
    const tenant = await this.store.find({ by: isUuid(source) ? 'id' : 'slug', value: source });
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status !== 'active' && tenant.status !== 'suspended')
      throw new InvalidTransitionError(tenant.slug, tenant.status, 'clone');
    const { server } = placeOf(tenant);
    const tables = await this.transactions.run((manager) => listTables(manager, tenant.schemaName), server);
    return { tenant, tables };
  }

  /** Needs a transaction under REPEATABLE READ that has done nothing yet: all rows are read as of one moment. */
  async build(
    { manager, insert }: Making,
    source: CopySource,
    schemaName: string,
    mask?: Mask,
  ): Promise<void> {
    const { tenant, tables } = source;
    await lockTables(manager, tables);
    // A policy that hid rows from the owner would lose them in silence; this way it is an error.
    await manager.query('SET LOCAL row_security = off');
    const { templateVersion, schemaVersion } = tenant;
    await insert({ schemaName, templateVersion, schemaVersion });
    const compiled = await compileBlueprint(manager, tenant.schemaName, {
      filled: 'all',
      sharedSchemas: this.options.sharedSchemas,
    });
    const blueprint = await withRows(manager, compiled, 'all', mask);
    await replayBlueprint(manager, blueprint, schemaName);
    await verifyClone(manager, blueprint, schemaName);
    await manager.query('SET LOCAL row_security = on');
  }
}
