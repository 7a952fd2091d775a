import { Injectable, Logger } from '@nestjs/common';
import { freezeDeeply } from '../../common/freeze-deeply';
import type { Tenant } from '../../registry/tenant';
import type { TenantOrigin } from '../provisioning.options';

/** What happens to tenants, in the past tense: by then it is committed. */
export type TenantEvent =
  'created' | 'updated' | 'suspended' | 'activated' | 'deleted' | 'restored' | 'purged';

/** What can happen to a tenant that is there. */
export type TenantChangeEvent = Exclude<TenantEvent, 'created'>;

/** `tenant` is as the event left it; of a purged one, as it was before. */
export type TenantListener = (tenant: Tenant) => unknown;

/** Told of `created`, and how the tenant came to be: of a clone, an adopted or an imported one the rows were there already. */
export type TenantCreatedListener = (tenant: Tenant, origin: TenantOrigin) => unknown;

type Listener = (tenant: Tenant, origin?: TenantOrigin) => unknown;

/**
 * Tells listeners of this instance what has happened to a tenant. It comes after the fact, once, and only while the
 * process lives: what must not be lost, or must be able to say no, belongs in a hook: `@OnProvision()`, `@OnTransition()`.
 */
@Injectable()
export class TenantEvents {
  readonly #logger = new Logger(TenantEvents.name);
  readonly #listeners = new Map<TenantEvent, Set<Listener>>();

  /** Calls `listener` at each such event, until the function that comes out is called. */
  on(event: 'created', listener: TenantCreatedListener): () => void;
  on(event: TenantEvent, listener: TenantListener): () => void;
  on(event: TenantEvent, listener: TenantListener | TenantCreatedListener): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    // A listener that is added twice is called twice, and each is taken away by its own function.
    const own: Listener = (...told) => (listener as Listener)(...told);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** Resolves when all listeners are done, in the order in which they came. One that fails is logged and no more. */
  emit(event: 'created', tenant: Tenant, origin: TenantOrigin): Promise<void>;
  emit(event: TenantChangeEvent, tenant: Tenant): Promise<void>;
  async emit(event: TenantEvent, tenant: Tenant, ...origin: [TenantOrigin?]): Promise<void> {
    freezeDeeply(tenant);
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        await listener(tenant, ...origin);
      } catch (error) {
        this.#logger.error(`A listener of "${event}" failed for the tenant "${tenant.slug}".`, error);
      }
    }
  }
}
