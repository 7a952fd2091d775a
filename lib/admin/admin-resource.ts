/** What a controller of the admin API is about: the part of scopes before the colon. */
export const ADMIN_RESOURCE = 'nestjs-tenancy:admin-resource';

export type AdminResource = 'tenants' | 'keys' | 'migrations' | 'settings' | 'usage';
