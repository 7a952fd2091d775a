import { Injectable } from '@nestjs/common';
import type { TenantChangeOptions } from '../provisioning/tenant-changer';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { TenantVersionError } from '../registry/tenant.errors';
import { versionsMatching } from '../http/etag';
import type { RequestedChange } from '../http/requested-change';

/** A change in the form that the life cycle takes: the tenant and the options. */
export interface WantedChange {
  readonly reference: string;
  readonly options: TenantChangeOptions;
}

/** Turns an `If-Match`, whose tags name a tenant and its version, into options of the life cycle. */
@Injectable()
export class TenantConditions {
  constructor(private readonly lifecycle: TenantLifecycle) {}

  /** With a condition, the tenant is named by its id, so that the change hits the tenant whose version was compared. */
  async wanted(
    reference: string,
    { actor, ifMatch }: RequestedChange,
    reason?: string,
  ): Promise<WantedChange> {
    if (ifMatch === undefined) return { reference, options: { actor, reason } };
    const { id } = await this.lifecycle.get(reference);
    return { reference: id, options: { actor, reason, ifVersion: versionsMatching(ifMatch, { id }) } };
  }

  /**
   * Like `wanted`, for a purge, which takes no versions. The condition is checked before it: if somebody changes the
   * tenant in between, it is either no longer deleted, and the purge fails, or only its domains changed.
   *
   * @throws TenantVersionError when the tenant has another version
   */
  async met(reference: string, change: RequestedChange): Promise<Pick<WantedChange, 'reference'>> {
    if (change.ifMatch === undefined) return { reference };
    const tenant = await this.lifecycle.get(reference);
    const versions = versionsMatching(change.ifMatch, tenant);
    if (versions?.includes(tenant.version) === false) throw new TenantVersionError(tenant.slug);
    return { reference: tenant.id };
  }
}
