import { SetMetadata } from '@nestjs/common';
import { type Given, Option } from '../common/options/option.decorator';
import type { TenantEvent } from '../registry/events/tenant-event';
import { FOLLOWER_NAME, type FollowCall, FollowerOptions } from './follow.options';

export const ON_TENANT_EVENT = 'nestjs-tenancy:on-tenant-event';

export class CheckedOnTenantEventOptions extends FollowerOptions {
  /**
   * What all instances know the follower by, and its position is kept under: 1 to 100 characters without control characters,
   * no other follower's. Default the names of class and method, `Invoices.send`: under another name it would begin anew.
   */
  @Option(FOLLOWER_NAME)
  readonly follower?: string;
}

export type OnTenantEventOptions = Given<CheckedOnTenantEventOptions>;

type EventMethod = (event: TenantEvent, call: FollowCall) => unknown;

/**
 * Calls the method with each event of the trail, at least once, those of one tenant in their order, in that tenant's
 * context. Any number of instances share the work. An event for which the method fails comes again, ever later, and holds up
 * the later ones of its tenant, but no other tenant's.
 */
export function OnTenantEvent(options: OnTenantEventOptions = {}) {
  const mark = SetMetadata(ON_TENANT_EVENT, options);
  return <T extends EventMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T>,
  ): void => void mark(target, key, descriptor);
}
