import { Injectable } from '@nestjs/common';
import { checkArguments } from '../common/options/check-options';
import { isInteger, kind, versions } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import type { Tenant } from '../registry/tenant';
import { TenantContendedError, TenantNotFoundError, TenantVersionError } from '../registry/tenant.errors';
import { TenantStore, type TenantWriteOptions } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { type TenantChangeEvent, TenantEvents } from './hooks/tenant-events';
import { ActorAndReason, checkActorAndReason } from './tenant-input';

export class TenantChangeOptions extends ActorAndReason {
  /** Only if the tenant has this version, or one of these; else `TenantVersionError`, and nothing is done. */
  @Option(
    kind<number | readonly number[]>(
      'give a version, or a list of versions',
      (value) => isInteger(value, 0) || versions().accepts(value),
    ),
  )
  readonly ifVersion?: number | readonly number[];
}

/**
 * Attempts before `TenantContendedError`. One of several concurrent changes succeeds each time, so this many can run at
 * once.
 */
const MAX_ATTEMPTS = 100;

/**
 * Changes a tenant as it was read. Returns `undefined` when it has changed since, and the tenant itself when there is
 * nothing to do.
 */
type Attempt = (
  tenant: Tenant,
  write: (action: string, details?: Record<string, unknown>) => TenantWriteOptions,
) => Promise<Tenant | undefined>;

/** Reads a tenant, changes it unless somebody else did in between, and emits the event. */
@Injectable()
export class TenantChanger {
  constructor(
    private readonly store: TenantStore,
    private readonly lookup: TenantLookup,
    private readonly events: TenantEvents,
  ) {}

  /** The tenant as the registry has it now, never from a cache. `reference` is an id or a slug. @throws TenantNotFoundError */
  async get(reference: string): Promise<Tenant> {
    const tenant = await this.store.find({ by: isUuid(reference) ? 'id' : 'slug', value: reference });
    if (!tenant) throw new TenantNotFoundError();
    return tenant;
  }

  /**
   * The tenant as `attempt` left it.
   *
   * @throws TenantNotFoundError, TenantVersionError, TenantContendedError, ValidationFailedError for a bad actor or reason
   */
  async change(
    reference: string,
    event: TenantChangeEvent,
    options: TenantChangeOptions | undefined,
    attempt: Attempt,
  ): Promise<Tenant> {
    const { ifVersion, actor, reason } = checkArguments('TenantLifecycle', TenantChangeOptions, options);
    checkActorAndReason({ actor, reason });
    let seen: Tenant | undefined;
    for (let count = 1; count <= MAX_ATTEMPTS; count += 1) {
      // By its id from the second look on: it may have been renamed.
      const tenant = await this.get(seen?.id ?? reference);
      seen = tenant;
      if (!isVersion(tenant, ifVersion)) throw new TenantVersionError(tenant.slug);
      const expected = ifVersion === undefined ? {} : { version: tenant.version };
      const changed = await attempt(tenant, (action, details) => ({
        expected,
        audit: { action, actor, reason, details },
      }));
      if (!changed) continue;
      if (changed.version !== tenant.version) await this.#tell(event, changed);
      return changed;
    }
    throw new TenantContendedError(seen?.slug ?? reference);
  }

  async #tell(event: TenantChangeEvent, tenant: Tenant): Promise<void> {
    this.lookup.forget(tenant);
    await this.events.emit(event, tenant);
  }
}

function isVersion({ version }: Tenant, wanted?: number | readonly number[]): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === 'number' ? version === wanted : wanted.includes(version);
}
