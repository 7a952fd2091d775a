import { Injectable } from '@nestjs/common';
import type { TenantChangeOptions } from '../provisioning/tenant-changer';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { TenantVersionError } from '../registry/tenant.errors';
import { versionsMatching } from '../http/etag';
import type { RequestedChange } from '../http/requested-change';

/** A change as the life cycle takes it: to which tenant, and with what. */
export interface WantedChange {
  readonly reference: string;
  readonly options: TenantChangeOptions;
}

/** Makes of an `If-Match`, whose tags name a tenant and its version, what the life cycle understands. */
@Injectable()
export class TenantConditions {
  constructor(private readonly lifecycle: TenantLifecycle) {}

  /** By its id once it was looked at, so that the condition holds for the tenant that is then changed. */
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
   * The same for a purge, which knows no versions, so the condition is looked at before it: a tenant that somebody
   * changes in between is no longer deleted, or changed by nothing but its domains.
   *
   * @throws TenantVersionError
   */
  async met(reference: string, change: RequestedChange): Promise<Pick<WantedChange, 'reference'>> {
    if (change.ifMatch === undefined) return { reference };
    const tenant = await this.lifecycle.get(reference);
    const versions = versionsMatching(change.ifMatch, tenant);
    if (versions?.includes(tenant.version) === false) throw new TenantVersionError(tenant.slug);
    return { reference: tenant.id };
  }
}
