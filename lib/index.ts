export { TenancyModule } from './tenancy.module';
export {
  type TenancyDatabaseOptions,
  type TenancyOptions,
  type TenancyTypeOrmOptions,
} from './tenancy.options';
export { InvalidTenancyOptionsError } from './tenancy.errors';

export {
  type FieldError,
  TenancyError,
  TenancyUnavailableError,
  ValidationFailedError,
} from './common/tenancy.errors';

export { type Tenant, TENANT_STATUSES, type TenantClaim, type TenantStatus } from './tenant/tenant';
export { type NewTenant, type TenantChanges, type TenantQuery, TenantStore } from './tenant/tenant.store';
export { InMemoryTenantStore } from './tenant/in-memory-tenant.store';
export { TypeOrmTenantStore } from './tenant/typeorm-tenant.store';
export { DEFAULT_RESERVED_SLUGS, isSlug } from './tenant/slug';
export { normalizeClaim } from './tenant/claim';
export { normalizeDomain } from './tenant/domain';
export {
  DomainTakenError,
  InvalidTransitionError,
  SchemaNameTakenError,
  TenantNotActiveError,
  TenantNotFoundError,
  TenantSlugReservedError,
  TenantSlugTakenError,
} from './tenant/tenant.errors';

export { type EachTenantOptions, TenantContext } from './context/tenant-context';
export { TenantRequiredError, TenantsFailedError } from './context/context.errors';

export { TENANT_DATA_SOURCE } from './connection/tenant-data-source';
export { type IsolationLevel, TenantConnection } from './connection/tenant-connection';
export { type TenantTransactionOptions, TenantTransactions } from './connection/tenant-transactions';
export { TenantTransaction } from './connection/tenant-transaction.interceptor';
export { InjectTenantRepository } from './connection/inject-tenant-repository.decorator';
export {
  LeaseEndedError,
  TenantContextMismatchError,
  TransactionCommandError,
  TransactionDoomedError,
  UnsafeSessionError,
  UnsupportedStartupParameterError,
} from './connection/connection.errors';

export { CloneNotFaithfulError, SchemaNotCloneableError } from './schema/schema.errors';

export { type TenantRequest, type TenantResolver } from './resolution/tenant-resolver';
export { type LookupCacheOptions } from './resolution/resolution.options';
export { fromHeader } from './resolution/from-header';
export { fromSubdomain, type FromSubdomainOptions } from './resolution/from-subdomain';
export { fromDomain } from './resolution/from-domain';
export { TenantLookup } from './resolution/tenant-lookup';
export { CurrentTenant } from './resolution/current-tenant.decorator';
export { CURRENT_TENANT } from './resolution/current-tenant.provider';
export { TenantFree, TenantOptional } from './resolution/tenant-route.decorator';
export { InvalidClaimError, TenantMissingError } from './resolution/resolution.errors';

export { TenantProvisioner } from './provisioning/tenant-provisioner';
export { TenantLifecycle } from './provisioning/tenant-lifecycle';
export { type TenantPatch, type TenantRequestedBy } from './provisioning/tenant-input';
export {
  ProvisioningFailedError,
  TemplateBehindError,
  TemplateMigrationError,
} from './provisioning/provisioning.errors';
