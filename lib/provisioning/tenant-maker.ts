import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager, QueryRunner } from 'typeorm';
import { callback } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { isOutage } from '../common/outage';
import { TenancyError, TenancyUnavailableError } from '../common/tenancy.errors';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import type { IsolationLevel } from '../connection/typeorm/tenant-connection';
import { isBesideRegistry, placeOf } from '../placement/place';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import type { Tenant } from '../registry/tenant';
import { type NewTenant, TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import { ProvisionHooks } from './hooks/provision-hooks';
import { type LeftBehind, ProvisioningFailedError } from './provisioning.errors';
import type { CopiedTenant, ProvisionHook, TenantOrigin } from './provisioning.options';
import { Homes } from './homes/homes';
import type { Draft, HomePlan } from './homes/tenant-home';
import { lockHalfMade } from './purge/half-made';
import { PurgeRecords } from './purge/purge-records';
import { SchemaMarks, tenantComment } from './marks/schema-marks';
import { Spares } from './spares/spares';
import { TenantEvents } from './hooks/tenant-events';
import { ActorAndReason } from './tenant-input';
import { TenantRoles } from './roles/tenant-roles';
import { type SeenMigration, TenantVersions } from './template/tenant-versions';

export class NewTenantOptions extends ActorAndReason {
  /**
   * Work of the caller that is committed together with the tenant. It runs in the transaction of the hooks, after them. What it
   * throws is thrown unchanged, and no tenant is made.
   */
  @Option(callback<ProvisionHook>('give a function of the tenant and the manager of its transaction'))
  readonly within?: ProvisionHook;
}

/** Says what is to be made for a tenant, in a transaction on its server. Costly work comes after the tenant's row. */
export type PlanHome = (manager: EntityManager) => Promise<HomePlan>;

export interface MakeOptions extends NewTenantOptions {
  readonly origin: TenantOrigin;
  readonly isolation?: IsolationLevel;
  /** The tenant whose schema is copied. Default none: the schema is a clone of the template. */
  readonly copied?: CopiedTenant;
  /** The migrations that its schema saw elsewhere. Default: those of the template, or of the tenant that it is a copy of. */
  readonly seen?: readonly SeenMigration[];
  /** The status that it gets. Default active. */
  readonly status?: 'active' | 'suspended';
}

/** Makes the row and the schema of a tenant, both or neither, for every origin. */
@Injectable()
export class TenantMaker {
  readonly #logger = new Logger(TenantMaker.name);

  constructor(
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly lookup: TenantLookup,
    private readonly spares: Spares,
    private readonly versions: TenantVersions,
    private readonly marks: SchemaMarks,
    private readonly homes: Homes,
    private readonly records: PurgeRecords,
    private readonly hooks: ProvisionHooks,
    private readonly roles: TenantRoles,
    private readonly events: TenantEvents,
  ) {}

  /**
   * The tenant, once it is committed and its hooks have run. `plan` says how its schema is made.
   *
   * @throws ProvisionHookFailedError, ProvisioningFailedError, TenancyUnavailableError, and what `within` throws; nothing is left
   * then
   */
  async make(draft: Draft, plan: PlanHome, options: MakeOptions): Promise<Tenant> {
    const kept: { tenant?: Tenant } = {};
    const within = options.within && new WorkWithin(options.within);
    try {
      await this.homes.of(draft).make(draft, {
        isolation: options.isolation ?? 'READ COMMITTED',
        choose: async (manager) => {
          const chosen = await plan(manager);
          const { schemaName, templateVersion, schemaVersion } = chosen;
          const row = { ...draft, schemaName, templateVersion, schemaVersion };
          kept.tenant = await this.#insert(manager, row, options);
          return chosen;
        },
        note: (manager) => this.#recordVersion(manager, draft.id, options),
        fill: async (manager, { schemaName, fill }) => {
          await fill?.(manager, kept.tenant!);
          await this.marks.write(manager, schemaName, tenantComment(draft.slug));
          await this.hooks.run(kept.tenant!, manager, options, within?.run);
          // Last, so that the tenant's role gets rights on what the hooks have made, too.
          await this.roles.prepare(manager, schemaName);
        },
      });
      const made = await this.#settle(kept.tenant!, options.status);
      this.lookup.forget(made);
      await this.events.emit('created', made, options.origin);
      return made;
    } catch (error) {
      const left = kept.tenant && (await this.#forget(kept.tenant, options.origin));
      if (within?.hasThrown(error)) throw error;
      throw explain(draft.slug, error, left);
    }
  }

  async #insert(
    manager: EntityManager,
    tenant: Omit<NewTenant, 'status'>,
    { actor, reason, origin, status: wanted = 'active' }: MakeOptions,
  ): Promise<Tenant> {
    const audit = { action: origin, actor, reason };
    // A row outside of the transaction is seen before its schema is there.
    const isInside = this.store instanceof TypeOrmTenantStore && isBesideRegistry(tenant);
    const draft = { ...tenant, status: isInside ? wanted : ('provisioning' as const) };
    const queryRunner = manager.queryRunner as QueryRunner;
    if (!isInside) await lockHalfMade(manager, tenant.id);
    if (!isInside && this.store instanceof TypeOrmTenantStore)
      return this.store.insert(draft, undefined, { audit });
    try {
      return await this.store.insert(draft, queryRunner, { audit });
    } finally {
      // A manager that another data source makes for this query runner takes the place of the query runner's own.
      Object.assign(queryRunner, { manager });
    }
  }

  #recordVersion(manager: EntityManager, id: string, { seen, copied }: MakeOptions): Promise<void> {
    return seen
      ? this.versions.recordSeen(manager, id, seen)
      : this.versions.record(manager, id, copied?.from.id);
  }

  async #settle(tenant: Tenant, status: Tenant['status'] = 'active'): Promise<Tenant> {
    if (tenant.status !== 'provisioning') return tenant;
    const settled = await this.store.update(
      tenant.id,
      { status },
      { expected: { status: ['provisioning'] } },
    );
    // The sweeper of another instance may have activated it already.
    const now = settled ?? (await this.store.find({ by: 'id', value: tenant.id }));
    if (now === undefined || now.status === 'provisioning')
      throw new Error('its row in the store was removed meanwhile');
    return now;
  }

  /**
   * Removes what may be left. A store outside of the database keeps its row, which is no part of the transaction. And when the
   * connection was lost during COMMIT, PostgreSQL may have committed all of it: row, schema, and what modules keep, such as
   * a first key.
   *
   * @returns what may be left, when it cannot be removed
   */
  async #forget(tenant: Tenant, origin: TenantOrigin): Promise<LeftBehind | undefined> {
    const { id, slug, schemaName } = tenant;
    const { server } = placeOf(tenant);
    try {
      // The row first: a tenant without a schema cannot work, but a schema without a tenant is swept away.
      await this.store.remove(id);
      await this.transactions.inRegistry((manager) => this.records.forget(manager, id));
      if (!isBesideRegistry(tenant))
        await this.transactions.run((manager) => this.versions.forget(manager, id), server);
      if (origin !== 'adopt') await this.#discard(tenant);
      await this.hooks.undo(tenant, origin);
      return undefined;
    } catch (error) {
      this.#logger.error(
        `The creation of "${slug}" failed, and so did its removal: look for its row (${id}) in the registry, and for ` +
          `the schema ${schemaName}.`,
        error,
      );
      return { id, schemaName, why: error };
    }
  }

  /** After the rollback a spare waits again. Any other schema was made for this tenant alone. */
  async #discard(tenant: Tenant): Promise<void> {
    const { schemaName } = tenant;
    const { server } = placeOf(tenant);
    const isSpare = await this.transactions.run((manager) => this.spares.has(manager, schemaName), server);
    if (!isSpare) await this.homes.of(tenant).discard({ schemaName, server });
  }
}

/** The caller's own work. Its errors reach the caller unchanged. */
class WorkWithin {
  #thrown: unknown;

  constructor(private readonly work: ProvisionHook) {}

  readonly run: ProvisionHook = async (...args) => {
    try {
      await this.work(...args);
    } catch (error) {
      this.#thrown = error;
      throw error;
    }
  };

  hasThrown(error: unknown): boolean {
    return error !== undefined && error === this.#thrown;
  }
}

function explain(slug: string, error: unknown, left: LeftBehind | undefined): unknown {
  // Our own errors say that nothing is left. The cause of a hook's failure may be an outage elsewhere, which is not ours.
  if (error instanceof TenancyUnavailableError || (error instanceof TenancyError && !left)) return error;
  const outage = error instanceof TenancyError ? left?.why : error;
  return isOutage(outage)
    ? new TenancyUnavailableError('The database', { cause: outage })
    : new ProvisioningFailedError(slug, error, left);
}
