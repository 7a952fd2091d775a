import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { mergeMetadata } from '../registry/metadata';
import type { Tenant } from '../registry/tenant';
import { type TenantUpdate, TenantStore } from '../registry/store/tenant.store';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { HomeComment } from './homes/home-comment';
import { TenantChanger, type TenantChangeOptions } from './tenant-changer';
import { checkDomain, checkMetadata, checkTenantPatch, type TenantPatch } from './tenant-input';
import {
  ACTIVATE,
  changesOfTransition,
  DELETE,
  RESTORE,
  SUSPEND,
  type Transition,
} from './tenant-transitions';
import { TransitionHooks } from './hooks/transition-hooks';

/**
 * What happens to a tenant once it exists. `reference` is an id or a slug. What is already as it should be is left
 * alone, `updatedAt` too, and nothing is recorded; each change is recorded with its actor and its reason.
 *
 * All throw `TenantNotFoundError`, and those that change something `ValidationFailedError`, `TenantVersionError` (see
 * `ifVersion`) and `TenantContendedError`; those that change its status `TransitionHookFailedError` too.
 */
@Injectable()
export class TenantLifecycle {
  constructor(
    private readonly store: TenantStore,
    private readonly changer: TenantChanger,
    private readonly homeComment: HomeComment,
    private readonly hooks: TransitionHooks,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** The tenant as the registry has it now, never from a cache. */
  get(reference: string): Promise<Tenant> {
    return this.changer.get(reference);
  }

  /** Refuses its requests until it is activated. @throws InvalidTransitionError */
  suspend(reference: string, options?: TenantChangeOptions): Promise<Tenant> {
    return this.#move(reference, SUSPEND, options);
  }

  /** Serves a suspended tenant again. @throws InvalidTransitionError */
  activate(reference: string, options?: TenantChangeOptions): Promise<Tenant> {
    return this.#move(reference, ACTIVATE, options);
  }

  /** Puts a tenant into quarantine: its requests are refused, its schema and its slug are kept. @throws InvalidTransitionError */
  delete(reference: string, options?: TenantChangeOptions): Promise<Tenant> {
    return this.#move(reference, DELETE, options);
  }

  /** Gives a deleted tenant its earlier status back. @throws InvalidTransitionError */
  restore(reference: string, options?: TenantChangeOptions): Promise<Tenant> {
    return this.#move(reference, RESTORE, options);
  }

  /**
   * Changes names and merges metadata (RFC 7386). Of patches that come at once none is lost.
   *
   * @throws TenantSlugReservedError, TenantSlugTakenError
   */
  async update(reference: string, patch: TenantPatch, options?: TenantChangeOptions): Promise<Tenant> {
    checkTenantPatch(patch, this.options.reservedSlugs);
    let renamed = false;
    const updated = await this.changer.change(reference, 'updated', options, async (tenant, write) => {
      const changes = changesOfPatch(tenant, patch);
      renamed = changes.slug !== undefined;
      const fields = Object.keys(changes);
      if (fields.length === 0) return tenant;
      const slug = changes.slug === undefined ? {} : { slug: { from: tenant.slug, to: changes.slug } };
      const { audit } = write('update', { fields, ...slug });
      // Metadata was merged into the version that was read: a later change must not be lost.
      return this.store.update(tenant.id, changes, { expected: { version: tenant.version }, audit });
    });
    if (renamed) await this.homeComment.write(updated);
    return updated;
  }

  /** @throws DomainTakenError, DomainNotProvenError with the option `domainProof`, and what that throws */
  async addDomain(reference: string, domain: string, options?: TenantChangeOptions): Promise<Tenant> {
    const { domainProof, wildcardDomains } = this.options;
    const name = checkDomain(domain, wildcardDomains);
    return this.changer.change(reference, 'updated', options, async (tenant, write) => {
      if (domainProof) {
        // Not written again: it may be gone by now, and would come back unproven.
        if (tenant.domains.includes(name)) return tenant;
        await domainProof.prove(name, tenant);
      }
      return this.store.addDomain(tenant.id, name, write('add-domain', { domain: name }));
    });
  }

  async removeDomain(reference: string, domain: string, options?: TenantChangeOptions): Promise<Tenant> {
    const name = checkDomain(domain, true);
    return this.changer.change(reference, 'updated', options, ({ id }, write) =>
      this.store.removeDomain(id, name, write('remove-domain', { domain: name })),
    );
  }

  #move(reference: string, step: Transition, options?: TenantChangeOptions): Promise<Tenant> {
    return this.changer.change(reference, step.event, options, async (tenant, write) => {
      const changes = changesOfTransition(tenant, step, options?.reason);
      if (!changes) return tenant;
      await this.hooks.run(tenant, step.action);
      const { expected, audit } = write(step.action, { from: tenant.status, to: changes.status });
      // Not its version, if none was asked for: a suspension does not wait for those who go on changing names.
      const sameStatus = { ...expected, status: [tenant.status] };
      return this.store.update(tenant.id, changes, { expected: sameStatus, audit });
    });
  }
}

/** The fields of a patch that differ from the tenant. */
function changesOfPatch(tenant: Tenant, patch: TenantPatch): TenantUpdate {
  const { slug = tenant.slug, name = tenant.name } = patch;
  const metadata = mergeMetadata(tenant.metadata, patch.metadata ?? {});
  if (patch.metadata) checkMetadata(metadata);
  const current = new Map<string, unknown>(Object.entries(tenant));
  const wanted: TenantUpdate = { slug, name, metadata };
  return Object.fromEntries(
    Object.entries(wanted).filter(([field, value]) => !isDeepStrictEqual(current.get(field), value)),
  );
}
