import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { TenantLookup } from '../resolution/tenant-lookup';
import { mergeMetadata } from '../tenant/metadata';
import type { Tenant, TenantStatus } from '../tenant/tenant';
import { InvalidTransitionError, TenantNotFoundError } from '../tenant/tenant.errors';
import { type TenantChanges, TenantStore } from '../tenant/tenant.store';
import { isUuid } from '../tenant/uuid';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { SchemaComment } from './schema-comment';
import { checkDomain, checkMetadata, checkReason, checkTenantPatch, type TenantPatch } from './tenant-input';

interface Transition {
  readonly action: string;
  readonly from: readonly TenantStatus[];
  /** Where it leads; a tenant that is there already is left alone. */
  readonly to: (tenant: Tenant) => TenantStatus;
}

const SUSPEND: Transition = { action: 'suspend', from: ['active'], to: () => 'suspended' };
const ACTIVATE: Transition = { action: 'activate', from: ['suspended'], to: () => 'active' };
const DELETE: Transition = { action: 'delete', from: ['active', 'suspended'], to: () => 'deleted' };
const RESTORE: Transition = { action: 'restore', from: ['deleted'], to: restored };

/** What a deleted tenant was before; a tenant that is not deleted stays what it is. */
function restored({ status, deletedFrom }: Tenant): TenantStatus {
  return status === 'deleted' ? (deletedFrom ?? 'active') : status;
}

/**
 * What happens to a tenant once it exists. `reference` is an id or a slug; `reason`, at most 500 characters, is kept
 * with the tenant. What is already as it should be is left alone, `updatedAt` too. All throw `TenantNotFoundError`.
 */
@Injectable()
export class TenantLifecycle {
  constructor(
    private readonly store: TenantStore,
    private readonly lookup: TenantLookup,
    private readonly schemaComment: SchemaComment,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** The tenant as the registry has it now, never from a cache. */
  async get(reference: string): Promise<Tenant> {
    return required(await this.store.find({ by: isUuid(reference) ? 'id' : 'slug', value: reference }));
  }

  /** Refuses its requests until it is activated. @throws InvalidTransitionError */
  suspend(reference: string, reason?: string): Promise<Tenant> {
    return this.#move(reference, SUSPEND, reason);
  }

  /** Serves a suspended tenant again. @throws InvalidTransitionError */
  activate(reference: string, reason?: string): Promise<Tenant> {
    return this.#move(reference, ACTIVATE, reason);
  }

  /** Puts a tenant into quarantine: its requests are refused, its schema and its slug are kept. @throws InvalidTransitionError */
  delete(reference: string, reason?: string): Promise<Tenant> {
    return this.#move(reference, DELETE, reason);
  }

  /** Makes a deleted tenant what it was. @throws InvalidTransitionError */
  restore(reference: string, reason?: string): Promise<Tenant> {
    return this.#move(reference, RESTORE, reason);
  }

  /**
   * Changes names and merges metadata (RFC 7386).
   *
   * @throws ValidationFailedError, TenantSlugReservedError, TenantSlugTakenError
   */
  async update(reference: string, patch: TenantPatch): Promise<Tenant> {
    checkTenantPatch(patch, this.options.reservedSlugs);
    const tenant = await this.get(reference);
    const { slug = tenant.slug, name = tenant.name } = patch;
    const metadata = mergeMetadata(tenant.metadata, patch.metadata ?? {});
    if (patch.metadata) checkMetadata(metadata);
    const changes = changesOf(tenant, { slug, name, metadata });
    if (Object.keys(changes).length === 0) return tenant;
    const changed = this.#changed(await this.store.update(tenant.id, changes));
    if (changes.slug !== undefined) await this.schemaComment.write(changed);
    return changed;
  }

  /** @throws ValidationFailedError, DomainTakenError */
  async addDomain(reference: string, domain: string): Promise<Tenant> {
    const name = checkDomain(domain);
    const { id } = await this.get(reference);
    return this.#changed(await this.store.addDomain(id, name));
  }

  /** @throws ValidationFailedError */
  async removeDomain(reference: string, domain: string): Promise<Tenant> {
    const name = checkDomain(domain);
    const { id } = await this.get(reference);
    return this.#changed(await this.store.removeDomain(id, name));
  }

  async #move(reference: string, { action, from, to }: Transition, reason?: string): Promise<Tenant> {
    if (reason !== undefined) checkReason(reason);
    for (;;) {
      const tenant = await this.get(reference);
      const status = to(tenant);
      if (tenant.status === status && status !== 'provisioning') return tenant;
      if (!from.includes(tenant.status)) throw new InvalidTransitionError(tenant.slug, tenant.status, action);
      const deletedFrom = status === 'deleted' ? tenant.status : null;
      const moved = await this.store.update(
        tenant.id,
        { status, deletedFrom, statusReason: reason ?? null },
        [tenant.status],
      );
      if (moved) return this.#changed(moved);
      // Somebody else moved it between the two: look again.
    }
  }

  #changed(tenant: Tenant | undefined): Tenant {
    const changed = required(tenant);
    this.lookup.forget(changed);
    return changed;
  }
}

function required(tenant: Tenant | undefined): Tenant {
  if (!tenant) throw new TenantNotFoundError();
  return tenant;
}

/** The wanted properties that the tenant does not have yet. */
function changesOf(tenant: Tenant, wanted: TenantChanges): TenantChanges {
  const current = new Map<string, unknown>(Object.entries(tenant));
  return Object.fromEntries(
    Object.entries(wanted).filter(([name, value]) => !isDeepStrictEqual(current.get(name), value)),
  );
}
