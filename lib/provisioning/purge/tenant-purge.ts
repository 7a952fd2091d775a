import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { checkArguments } from '../../common/options/check-options';
import { anything } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import { isOutage } from '../../common/outage';
import { TenancyError, TenancyUnavailableError } from '../../common/tenancy.errors';
import { TenantLookup } from '../../registry/cache/tenant-lookup';
import { DEFAULT_SERVER, placeOf } from '../../placement/place';
import type { Tenant } from '../../registry/tenant';
import { InvalidTransitionError, TenantNotFoundError } from '../../registry/tenant.errors';
import { TenantStore } from '../../registry/store/tenant.store';
import { isUuid } from '../../registry/claim';
import { PurgeBlockedError, PurgeFailedError } from '../provisioning.errors';
import { type PurgeRecord, PurgeRecords } from './purge-records';
import { Homes } from '../homes/homes';
import type { TenantHome } from '../homes/tenant-home';
import { SchemaMarks } from '../marks/schema-marks';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { TenantVersions } from '../template/tenant-versions';
import { checkActorAndReason } from '../tenant-input';
import { TenantEvents } from '../hooks/tenant-events';
import { TransitionHooks } from '../hooks/transition-hooks';

/**
 * How long a part waits for a table that an open transaction holds. While it waits, all later users of the table wait
 * too.
 */
const LOCK_TIMEOUT_MS = 5_000;

/** SQLSTATE lock_not_available. */
const LOCK_NOT_AVAILABLE = '55P03';

export class PurgeOptions {
  /** Who asks for it; stored in the record. */
  @Option(anything<string>())
  readonly actor?: string;
}

/**
 * Removes a deleted tenant permanently: its schema with all rows, its domains, its metadata. Nothing can restore them.
 */
@Injectable()
export class TenantPurge {
  constructor(
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly lookup: TenantLookup,
    private readonly records: PurgeRecords,
    private readonly marks: SchemaMarks,
    private readonly homes: Homes,
    private readonly versions: TenantVersions,
    private readonly hooks: TransitionHooks,
    private readonly events: TenantEvents,
  ) {}

  /**
   * Purges a tenant and returns the record. First the tenant becomes a tombstone, which frees its slug. Then its schema
   * is dropped part by part, each in a transaction of its own. To continue an interrupted purge, call it again with the
   * id or the slug; for a finished one it returns the same record. Several calls at once share the work.
   *
   * @throws TenantNotFoundError when there is no such tenant
   * @throws InvalidTransitionError when it is not deleted
   * @throws SchemaNotMarkedError when the schema does not have the mark of this registry
   * @throws RegistryCopiedError when another registry has the same id, so that the mark may be that one's
   * @throws PurgeBlockedError when something outside depends on the schema, or an open transaction locks a part of it
   * @throws TransitionHookFailedError, PurgeFailedError, TenancyUnavailableError
   */
  async purge(idOrSlug: string, options: PurgeOptions = {}): Promise<PurgeRecord> {
    const { actor } = checkArguments('TenantPurge.purge()', PurgeOptions, options);
    checkActorAndReason({ actor });
    return this.finish(await this.#begin(idOrSlug, actor), idOrSlug);
  }

  /** Continues a purge that has begun. `name` is for errors. */
  async finish(id: string, name = id): Promise<PurgeRecord> {
    try {
      // A store of our own keeps the tombstone.
      await this.store.remove(id);
      await this.#runHooks(id);
      for (;;) {
        const { record, ended } = await this.#dropNextPart(id);
        if (ended) await this.events.emit('purged', ended);
        if (record.finishedAt) return record;
      }
    } catch (error) {
      throw await this.#explain(name, id, error);
    }
  }

  /**
   * The hooks run only after the tombstone is written: before that the tenant could be restored, and its bucket would
   * be gone.
   */
  async #runHooks(id: string): Promise<void> {
    const { record, tenant } = await this.transactions.inRegistry((manager) =>
      this.records.lock(manager, id),
    );
    // The purge may have been begun by a version that wrote no marks.
    await this.transactions.run(
      (manager) => this.marks.markOfBefore(manager, record.schemaName),
      record.server,
    );
    if (tenant && !record.finishedAt) await this.hooks.run(tenant, 'purge');
  }

  /** Makes a deleted tenant a tombstone and returns its id. The purge may have begun before. */
  async #begin(idOrSlug: string, actor: string | undefined): Promise<string> {
    for (;;) {
      const tenant = await this.store.find({ by: isUuid(idOrSlug) ? 'id' : 'slug', value: idOrSlug });
      if (!tenant) return this.#begun(idOrSlug);
      if (tenant.status !== 'deleted') throw new InvalidTransitionError(tenant.slug, tenant.status, 'purge');
      // Otherwise someone else has changed its status in between, so it is read again.
      if (await this.#bury(tenant, actor)) return tenant.id;
    }
  }

  async #begun(idOrSlug: string): Promise<string> {
    if (idOrSlug.includes('\0')) throw new TenantNotFoundError();
    const id = await this.transactions.inRegistry((manager) => this.records.find(manager, idOrSlug));
    if (id === undefined) throw new TenantNotFoundError();
    return id;
  }

  async #bury(tenant: Tenant, actor: string | undefined): Promise<boolean> {
    try {
      return await this.transactions.inRegistry(async (registry) => {
        const isBuried = await this.records.bury(registry, tenant, actor);
        if (isBuried === false) return false;
        // Checked now, while the tenant can still be restored.
        await this.#at(placeOf(tenant).server, registry, (manager) =>
          this.homes.of(tenant).requireDroppable(manager, tenant),
        );
        await this.records.begin(registry, tenant, actor);
        return true;
      });
    } catch (error) {
      throw error instanceof TenancyError ? error : (explainOutage(error) ?? error);
    } finally {
      this.lookup.forget(tenant);
    }
  }

  /** `ended`: the tenant as it was. Only the caller that dropped the last part gets it. */
  #dropNextPart(id: string): Promise<{ record: PurgeRecord; ended?: Tenant | null }> {
    return this.transactions.inRegistry(async (registry) => {
      // Counting the rows of a large table may take longer than a request ever should.
      await registry.query('SET LOCAL statement_timeout = 0');
      const { record, tenant } = await this.records.lock(registry, id);
      if (record.finishedAt) return { record };
      const home = this.#homeOf(tenant);
      const { tables, isLast } = await this.#at(record.server, registry, async (manager) => {
        await manager.query('SET LOCAL statement_timeout = 0');
        await manager.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        const isCounted = Object.keys(record.tables).length > 0;
        const dropped = await home.dropNextPart(manager, record, isCounted);
        // Nobody needs the migrations of a schema that is gone.
        if (dropped.isLast) await this.versions.forget(manager, id);
        return dropped;
      });
      if (isLast) return { record: await this.records.finish(registry, id), ended: tenant };
      await this.records.addTables(registry, id, tables);
      return { record };
    });
  }

  /**
   * Work on a tenant's server. Where the registry is there too, it is a part of the registry's transaction; elsewhere it is
   * committed before that, and what is done twice after a crash finds nothing left to do.
   */
  #at<T>(server: string, registry: EntityManager, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return server === DEFAULT_SERVER ? work(registry) : this.transactions.run(work, server);
  }

  /** A purge that an earlier version has begun may have no tenant in its record. */
  #homeOf(tenant: Tenant | null): TenantHome {
    return this.homes.of(tenant ?? {});
  }

  async #holders(id: string): Promise<string[]> {
    const { record, tenant } = await this.transactions.inRegistry((manager) =>
      this.records.lock(manager, id),
    );
    return this.#homeOf(tenant).listHolders(record);
  }

  async #explain(name: string, id: string, error: unknown): Promise<unknown> {
    if (error instanceof TenancyError) return error;
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE)
      return explainOutage(error) ?? new PurgeFailedError(name, error);
    const holders = await this.#holders(id).catch(() => []);
    return new PurgeBlockedError(
      name,
      `an open transaction holds a part of its schema (${holders.join(', ') || 'it has ended meanwhile'}). Wait for its end or ` +
        'end it, then call purge again: it continues where it stopped.',
      { cause: error },
    );
  }
}

function explainOutage(error: unknown): Error | undefined {
  return isOutage(error) ? new TenancyUnavailableError('The database', { cause: error }) : undefined;
}
