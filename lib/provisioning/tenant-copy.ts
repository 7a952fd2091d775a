import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { SqlExecutor } from '../common/sql';
import { compileBlueprint } from '../schema/blueprint';
import { siteOf } from '../placement/place';
import type { Tenant } from '../registry/tenant';
import { InvalidTransitionError, TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { replayInto } from './template/rows-across';
import { type Mask, withRows } from './template/template-data';
import type { HomePlan } from './homes/tenant-home';
import { TenantDatabases } from './homes/tenant-databases';
import { OpenMoves } from './open-moves';
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
    private readonly databases: TenantDatabases,
    private readonly moves: OpenMoves,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws TenantNotFoundError, InvalidTransitionError, MoveUnderWayError */
  async prepare(source: string): Promise<CopySource> {
    const tenant = await this.store.find({ by: isUuid(source) ? 'id' : 'slug', value: source });
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status !== 'active' && tenant.status !== 'suspended')
      throw new InvalidTransitionError(tenant.slug, tenant.status, 'clone');
    await this.moves.requireNone(tenant, 'be cloned');
    const tables = await this.transactions.run(
      (manager) => listTables(manager, tenant.schemaName),
      siteOf(tenant),
    );
    return { tenant, tables };
  }

  /** Needs a transaction under REPEATABLE READ that has done nothing yet: all rows are read as of one moment. */
  async plan(manager: EntityManager, source: CopySource, schemaName: string, mask?: Mask): Promise<HomePlan> {
    const { tenant } = source;
    const { templateVersion, schemaVersion } = tenant;
    const own = siteOf(tenant);
    if (own.database === undefined) return this.#planBeside(manager, source, schemaName, mask);
    const fill = (home: EntityManager) =>
      this.databases.inside(own, async (session) => {
        await session.startTransaction('REPEATABLE READ');
        await lockTables(session, source.tables);
        await session.query('SET LOCAL row_security = off');
        await this.#replay(home, session, tenant, schemaName, mask);
        await session.rollbackTransaction();
      });
    return { schemaName, templateVersion, schemaVersion, fill };
  }

  async #planBeside(
    manager: EntityManager,
    source: CopySource,
    schemaName: string,
    mask?: Mask,
  ): Promise<HomePlan> {
    const { tenant, tables } = source;
    await lockTables(manager, tables);
    // A policy that hid rows from the owner would lose them in silence; this way it is an error.
    await manager.query('SET LOCAL row_security = off');
    const { templateVersion, schemaVersion } = tenant;
    const fill = async (home: EntityManager) => {
      await this.#replay(home, manager, tenant, schemaName, mask);
      await manager.query('SET LOCAL row_security = on');
    };
    return { schemaName, templateVersion, schemaVersion, fill };
  }

  async #replay(
    home: SqlExecutor,
    source: SqlExecutor,
    { schemaName: from }: Tenant,
    schemaName: string,
    mask?: Mask,
  ): Promise<void> {
    const { sharedSchemas } = this.options;
    const compiled = await compileBlueprint(source, from, { filled: 'all', sharedSchemas });
    const blueprint = await withRows(source, compiled, 'all', mask);
    await replayInto(home, source, blueprint, schemaName, { tables: 'all', mask });
  }
}
