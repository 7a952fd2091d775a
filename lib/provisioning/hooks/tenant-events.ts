import { Injectable, Logger } from '@nestjs/common';
import { freezeDeeply } from '../../common/freeze-deeply';
import type { Tenant } from '../../registry/tenant';
import type { TenantOrigin } from '../provisioning.options';

/**
 * Events of tenants, named in the past tense because they are sent after the commit. `moving`: a move to another place has begun;
 * `moved` or `move-failed` follows.
 */
export type TenantEventName =
  | 'created'
  | 'updated'
  | 'suspended'
  | 'activated'
  | 'deleted'
  | 'restored'
  | 'purged'
  | 'moving'
  | 'moved'
  | 'move-failed';

/** Events of a tenant that exists already. */
export type TenantChangeEvent = Exclude<TenantEventName, 'created'>;

/** `tenant` is as it is after the event; a purged tenant, as it was before. */
export type TenantListener = (tenant: Tenant) => unknown;

/** Called for `created`, with the origin of the tenant: a cloned, adopted or imported tenant has rows already. */
export type TenantCreatedListener = (tenant: Tenant, origin: TenantOrigin) => unknown;

type Listener = (tenant: Tenant, origin?: TenantOrigin) => unknown;

/**
 * Tells listeners in this instance what has happened to a tenant. An event comes after the commit, once, and only while
 * the process lives. For work that must not be lost, or that may refuse the step, use a hook: `@OnProvision()`,
 * `@OnTransition()`.
 */
@Injectable()
export class TenantEvents {
  readonly #logger = new Logger(TenantEvents.name);
  readonly #listeners = new Map<TenantEventName, Set<Listener>>();

  /** Calls `listener` for each such event. Returns a function that removes it. */
  on(event: 'created', listener: TenantCreatedListener): () => void;
  on(event: TenantEventName, listener: TenantListener): () => void;
  on(event: TenantEventName, listener: TenantListener | TenantCreatedListener): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    // A listener that is added twice is called twice, and each returned function removes one of them.
    const own: Listener = (...told) => (listener as Listener)(...told);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** Resolves when all listeners are done, in the order in which they came. A listener that fails is only logged. */
  emit(event: 'created', tenant: Tenant, origin: TenantOrigin): Promise<void>;
  emit(event: TenantChangeEvent, tenant: Tenant): Promise<void>;
  async emit(event: TenantEventName, tenant: Tenant, ...origin: [TenantOrigin?]): Promise<void> {
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
