import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { isOutage } from '../common/outage';
import { quoteIdentifier } from '../common/sql';
import { TenancyError, TenancyUnavailableError } from '../common/tenancy.errors';
import { TENANT_DATA_SOURCE } from '../connection/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { TenantLookup } from '../resolution/tenant-lookup';
import { replayBlueprint, verifyClone } from '../schema/clone';
import { generateSchemaName } from '../tenant/schema-name';
import type { Tenant } from '../tenant/tenant';
import { type NewTenant, TenantStore } from '../tenant/tenant.store';
import { ProvisioningFailedError } from './provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { writeSchemaComment } from './schema-comment';
import { Template } from './template';
import { checkNewTenant, type TenantRequestedBy } from './tenant-input';

/** Makes tenants: a row in the registry and a clone of the template, both or neither. */
@Injectable()
export class TenantProvisioner {
  readonly #logger = new Logger(TenantProvisioner.name);

  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly store: TenantStore,
    private readonly lookup: TenantLookup,
    private readonly template: Template,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * A new active tenant with its own schema.
   *
   * @throws ValidationFailedError, TenantSlugReservedError, TenantSlugTakenError, DomainTakenError
   * @throws TenancyUnavailableError, ProvisioningFailedError when the clone failed; nothing is left of it
   */
  async create(input: TenantRequestedBy): Promise<Tenant> {
    const wanted = checkNewTenant(input, this.options.reservedSlugs);
    const tenant: Omit<NewTenant, 'templateVersion'> = {
      ...wanted,
      id: uuidv7(),
      schemaName: generateSchemaName(),
      status: 'active',
    };
    const kept: { tenant?: Tenant } = {};
    try {
      await this.context.runAsSystem(() =>
        this.dataSource.transaction('READ COMMITTED', async (manager) => {
          await this.#clone(manager, tenant, kept);
        }),
      );
    } catch (error) {
      if (kept.tenant) await this.#forget(kept.tenant);
      throw this.#explain(tenant.slug, error);
    }
    const created = kept.tenant as Tenant;
    this.lookup.forget(created);
    return created;
  }

  async #clone(
    manager: EntityManager,
    tenant: Omit<NewTenant, 'templateVersion'>,
    kept: { tenant?: Tenant },
  ): Promise<void> {
    await this.template.lockShared(manager);
    const blueprint = await this.template.blueprint(manager);
    // The row before the schema: a slug that is taken costs no clone, and a second create of it waits here.
    kept.tenant = await this.store.insert(
      { ...tenant, templateVersion: blueprint.fingerprint },
      manager.queryRunner,
    );
    await replayBlueprint(manager, blueprint, tenant.schemaName);
    await verifyClone(manager, blueprint, tenant.schemaName);
    await writeSchemaComment(manager, tenant);
  }

  /**
   * Undoes what may be left: the row in a store outside the database, which is no part of the transaction; row and
   * schema when the connection was lost while COMMIT was under way, and it was done after all.
   */
  async #forget({ id, slug, schemaName }: Tenant): Promise<void> {
    try {
      // The name was made for this creation alone, so nobody else's schema can have it.
      await this.context.runAsSystem(() =>
        this.dataSource.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schemaName)} CASCADE`),
      );
      await this.store.remove(id);
    } catch (error) {
      this.#logger.error(
        `The creation of "${slug}" failed, and so did its removal: look for its row (${id}) in the registry, and for ` +
          `the schema ${schemaName}.`,
        error,
      );
    }
  }

  #explain(slug: string, error: unknown): unknown {
    if (error instanceof TenancyError) return error;
    return isOutage(error)
      ? new TenancyUnavailableError('The database', { cause: error })
      : new ProvisioningFailedError(slug, error);
  }
}
