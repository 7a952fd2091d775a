import type { TenantResolver } from './tenant-resolver';

/**
 * `shop.acme.com` claims the tenant that this domain is registered for. A host registered for nobody makes no claim:
 * the next resolver is asked.
 */
export function fromDomain(): TenantResolver {
  return ({ host }) => (host === '' ? undefined : { by: 'domain', value: host });
}
