import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { callback } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { isOutage } from '../common/outage';
import { TenancyError, TenancyUnavailableError } from '../common/tenancy.errors';
import type { IsolationLevel } from '../connection/typeorm/tenant-connection';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import type { Tenant } from '../registry/tenant';
import { type NewTenant, TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import { ProvisionHooks } from './hooks/provision-hooks';
import { type LeftBehind, ProvisioningFailedError } from './provisioning.errors';
import type { ProvisionHook, TenantOrigin } from './provisioning.options';
import { SchemaDrop } from './marks/schema-drop';
import { PurgeRecords } from './purge/purge-records';
import { SchemaMarks, tenantComment } from './marks/schema-marks';
import { Spares } from './spares/spares';
import { TenantEvents } from './hooks/tenant-events';
import { ActorAndReason } from './tenant-input';
import { TenantRoles } from './roles/tenant-roles';
import { type SeenMigration, TenantVersions } from './tenant-versions';

/** The fields of a tenant before it has a schema. */
export type Draft = Omit<NewTenant, 'status' | 'templateVersion' | 'schemaVersion'> & Pick<Tenant, 'place'>;

export class NewTenantOptions extends ActorAndReason {
  /**
   * What else the caller keeps with the tenant, both or neither: done in the same transaction as hooks are, after them.
   * What it throws is thrown, and no tenant is made.
   */
  @Option(callback<ProvisionHook>('give a function of the tenant and the manager of its transaction'))
  readonly within?: ProvisionHook;
}

/** A tenant that is being made, in a transaction of its own. */
export interface Making {
  readonly manager: EntityManager;
  /** Keeps the tenant's row. To be called once, before what is costly: a slug that is taken costs nothing then. */
  insert(schema: Pick<NewTenant, 'schemaName' | 'templateVersion' | 'schemaVersion'>): Promise<void>;
}

export interface MakeOptions extends NewTenantOptions {
  readonly origin: TenantOrigin;
  readonly isolation?: IsolationLevel;
  /** The id of the tenant whose schema is copied. Default none: it is one of the template's version. */
  readonly copyOf?: string;
  /** The migrations that its schema has seen, elsewhere. Default: those of the template, or of what it is a copy of. */
  readonly seen?: readonly SeenMigration[];
  /** The status that it gets. Default active. */
  readonly status?: 'active' | 'suspended';
}

/** Makes row and schema of a tenant, both or neither, whatever the way to the schema. */
@Injectable()
export class TenantMaker {
  readonly #logger = new Logger(TenantMaker.name);

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly store: TenantStore,
    private readonly lookup: TenantLookup,
    private readonly spares: Spares,
    private readonly versions: TenantVersions,
    private readonly marks: SchemaMarks,
    private readonly drop: SchemaDrop,
    private readonly records: PurgeRecords,
    private readonly hooks: ProvisionHooks,
    private readonly roles: TenantRoles,
    private readonly events: TenantEvents,
  ) {}

  /**
   * The tenant, once it is committed and its hooks have run. `build` makes the schema.
   *
   * @throws ProvisionHookFailedError, ProvisioningFailedError, TenancyUnavailableError, and what `within` throws; nothing is left
   * then
   */
  async make(draft: Draft, build: (making: Making) => Promise<void>, options: MakeOptions): Promise<Tenant> {
    const kept: { tenant?: Tenant } = {};
    const within = options.within && new WorkWithin(options.within);
    try {
      // For the tenant from the start, so that its hooks can work in the same transaction.
      await this.context.runUnborn(unborn(draft), () =>
        this.dataSource.transaction(options.isolation ?? 'READ COMMITTED', async (manager) => {
          const insert = async (
            schema: Pick<NewTenant, 'schemaName' | 'templateVersion' | 'schemaVersion'>,
          ) => {
            kept.tenant = await this.#insert(manager, { ...draft, ...schema }, options);
          };
          await build({ manager, insert });
          await this.#recordVersion(manager, draft.id, options);
          await this.marks.write(manager, kept.tenant!.schemaName, tenantComment(draft.slug));
          await this.hooks.run(kept.tenant!, manager, options.origin, within?.run);
          // Last, so that it has what the hooks have made, too.
          await this.roles.prepare(manager, kept.tenant!.schemaName);
        }),
      );
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
    // A row outside of the transaction is seen before its schema is there.
    const status = this.store instanceof TypeOrmTenantStore ? wanted : 'provisioning';
    const audit = { action: origin, actor, reason };
    const queryRunner = manager.queryRunner as QueryRunner;
    try {
      return await this.store.insert({ ...tenant, status }, queryRunner, { audit });
    } finally {
      // A manager of another data source over this query runner makes itself the query runner's own.
      Object.assign(queryRunner, { manager });
    }
  }

  #recordVersion(manager: EntityManager, id: string, { seen, copyOf }: MakeOptions): Promise<void> {
    return seen ? this.versions.recordSeen(manager, id, seen) : this.versions.record(manager, id, copyOf);
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
   * Undoes what may be left: the row in a store outside the database, which is no part of the transaction; row, schema
   * and what modules keep, such as a first key, when the connection was lost while COMMIT was under way, and it was done
   * after all.
   *
   * @returns what may be left, when it cannot be removed
   */
  async #forget({ id, slug, schemaName }: Tenant, origin: TenantOrigin): Promise<LeftBehind | undefined> {
    try {
      // The row first: a tenant without a schema cannot work, but a schema without a tenant is swept away.
      await this.store.remove(id);
      await this.context.runAsSystem(async () => {
        await this.dataSource.transaction('READ COMMITTED', (manager) => this.records.forget(manager, id));
        if (origin !== 'adopt') await this.#dropSchema(schemaName);
      });
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

  async #dropSchema(schemaName: string): Promise<void> {
    for (let isGone = false; !isGone;) {
      isGone = await this.dataSource.transaction('READ COMMITTED', async (manager) => {
        // Rolled back, a spare waits again. Any other name was made for this creation alone.
        if (await this.spares.has(manager, schemaName)) return true;
        return (await this.drop.dropNextPart(manager, schemaName)).isLast;
      });
    }
  }
}

/** The caller's own part, whose errors are for the caller as they are. */
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

/** A stand-in for `TenantContext.run()` before the tenant exists. */
function unborn(draft: Draft): Tenant {
  const now = new Date();
  return {
    ...draft,
    status: 'provisioning',
    statusReason: null,
    deletedFrom: null,
    templateVersion: null,
    schemaVersion: null,
    version: 1,
    createdAt: now,
    updatedAt: now,
  };
}

function explain(slug: string, error: unknown, left: LeftBehind | undefined): unknown {
  // One of ours says that nothing is left. What a hook could not reach elsewhere, its cause, is no outage of ours.
  if (error instanceof TenancyUnavailableError || (error instanceof TenancyError && !left)) return error;
  const outage = error instanceof TenancyError ? left?.why : error;
  return isOutage(outage)
    ? new TenancyUnavailableError('The database', { cause: outage })
    : new ProvisioningFailedError(slug, error, left);
}
