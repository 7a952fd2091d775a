import { Injectable } from '@nestjs/common';
import { TenantContext } from '../context/tenant-context';

/** Names of topics that tenants do not share, for whatever carries events to subscriptions. */
@Injectable()
export class TenantTopics {
  constructor(private readonly context: TenantContext) {}

  /**
   * The name of a topic for the current tenant, for `publish()` and for the iterator alike. It begins with the name of
   * the tenant's schema, which is never used again for another tenant and does not change with the slug.
   *
   * @throws TenantRequiredError where there is no tenant
   */
  of(topic: string): string {
    return `${this.context.tenant().schemaName}:${topic}`;
  }
}
