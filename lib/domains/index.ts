/**
 * Certificates for tenants' own domains.
 *
 * @module nestjs-tenancy/domains
 */

export { TenancyDomainsModule } from './tenancy-domains.module';
export { type TenancyDomainsOptions } from './domains.options';
export { ServedHosts } from './served-hosts';
export { InvalidDomainsOptionsError } from './domains.errors';
