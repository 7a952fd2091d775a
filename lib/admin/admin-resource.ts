/** Metadata key of the part before the colon in the scopes of a controller's calls. */
export const ADMIN_RESOURCE = 'nestjs-tenancy:admin-resource';

export type AdminResource =
  'tenants' | 'events' | 'keys' | 'members' | 'migrations' | 'settings' | 'usage' | 'webhooks';
