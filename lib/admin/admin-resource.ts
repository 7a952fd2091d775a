import { SetMetadata } from '@nestjs/common';

/** Metadata key of the part before the colon in the scopes of a controller's calls. */
export const ADMIN_RESOURCE = 'nestjs-tenancy:admin-resource';

export type AdminResource =
  | 'tenants'
  | 'events'
  | 'keys'
  | 'members'
  | 'recovery'
  | 'support'
  | 'migrations'
  | 'settings'
  | 'usage'
  | 'webhooks';

/** Metadata key of the whole scope of a call that wants another one than `read` or `write`. */
export const ADMIN_SCOPE = 'nestjs-tenancy:admin-scope';

/** The key needs this scope, as `support:enter`. */
export const AdminScope = (scope: string) => SetMetadata(ADMIN_SCOPE, scope);
