export { TenancyModule } from './tenancy.module';
export {
  type TenancyDatabaseOptions,
  type TenancyOptions,
  type TenancyTypeOrmOptions,
} from './tenancy.options';
export { ModuleImportedTwiceError, ModuleMissingError } from './common/module-check';
export { DatabaseRefusedError, DatabaseUnreachableError, InvalidTenancyOptionsError } from './tenancy.errors';

export { PackageMissingError } from './common/absent-package';
export { isTenancyCli } from './common/tenancy-cli';
export {
  type FieldError,
  StartFailedError,
  TenancyError,
  TenancyUnavailableError,
  TransactionRolledBackError,
  TransportUnknownError,
  ValidationFailedError,
  TenantBusyError,
} from './common/tenancy.errors';

export { type Tenant, TENANT_STATUSES, type TenantClaim, type TenantStatus } from './tenant/tenant';
export {
  type NewTenant,
  type TenantChanges,
  type TenantExpectation,
  type TenantQuery,
  TenantStore,
  type TenantWriteOptions,
} from './tenant/tenant.store';
export { type AuditQuery, type AuditRecord, type TenantAction } from './tenant/tenant-audit';
export { InMemoryTenantStore } from './tenant/in-memory-tenant.store';
export { TypeOrmTenantStore } from './tenant/typeorm-tenant.store';
export { DEFAULT_RESERVED_SLUGS, isSlug } from './tenant/slug';
export { normalizeClaim } from './tenant/claim';
export { normalizeDomain, normalizeWildcard } from './tenant/domain';
export {
  DomainTakenError,
  InvalidTransitionError,
  SchemaNameTakenError,
  TenantContendedError,
  TenantNotActiveError,
  TenantNotFoundError,
  TenantSlugReservedError,
  TenantSlugTakenError,
  TenantVersionError,
} from './tenant/tenant.errors';

export { type EachTenantOptions, TenantContext } from './context/tenant-context';
export { forSubscriber } from './context/own-emissions';
export { ForeignEmissionError, TenantRequiredError, TenantsFailedError } from './context/context.errors';

export { ADMIN_DATA_SOURCE, TENANT_DATA_SOURCE } from './connection/tenant-data-source';
export { type IsolationLevel, TenantConnection } from './connection/tenant-connection';
export { type TenantTransactionOptions, TenantTransactions } from './connection/tenant-transactions';
export { TenantTransaction } from './connection/tenant-transaction.interceptor';
export { InjectTenantRepository } from './connection/inject-tenant-repository.decorator';
export { type PoolReport, PoolStatistics } from './connection/pool-statistics';
export { type TenantLoad } from './connection/pool-counters';
export { type TenantLimits, type TenantLimitsOption } from './connection/tenant-limits';
export {
  CommitOutcomeUnknownError,
  IdleTransactionError,
  LeaseEndedError,
  LockTimeoutError,
  StatementTimeoutError,
  EntityNotListedError,
  EntitySchemaError,
  SessionNotCleanError,
  TenantContextMismatchError,
  TenantSchemaMissingError,
  TransactionCommandError,
  TransactionDoomedError,
  TransactionOverError,
  UnreadableTextError,
  UnsafeSessionError,
  UnsupportedStartupParameterError,
} from './connection/connection.errors';

export { CloneNotFaithfulError, SchemaNotCloneableError } from './schema/schema.errors';

export {
  type CredentialClaims,
  type Providers,
  type RequestClaim,
  type TenantRequest,
  type TenantResolver,
} from './resolution/tenant-resolver';
export { type LookupCacheOptions } from './resolution/resolution.options';
export { fromHeader } from './resolution/from-header';
export { fromSubdomain, type FromSubdomainOptions } from './resolution/from-subdomain';
export { fromDomain, type FromDomainOptions } from './resolution/from-domain';
export { fromPath } from './resolution/from-path';
export { type TenantPathOptions } from './resolution/tenant-path';
export { stripTenantPath, type TenantPathStripper } from './resolution/strip-tenant-path';
export { fromQuery } from './resolution/from-query';
export { fromCookie } from './resolution/from-cookie';
export { credentialResolver, type CredentialResolverOptions } from './resolution/credential-resolver';
export { TenantLookup } from './resolution/tenant-lookup';
export { CurrentTenant } from './resolution/current-tenant.decorator';
export { CURRENT_TENANT } from './resolution/current-tenant.provider';
export { TenantFree, TenantOptional } from './resolution/tenant-route.decorator';
export {
  DurableTenantError,
  InvalidClaimError,
  OperationMixedError,
  SharedCacheError,
  TenantChoiceRequiredError,
  TenantMismatchError,
  TenantMissingError,
} from './resolution/resolution.errors';

export {
  type AdoptOptions,
  type CloneOptions,
  type TenantDetails,
  TenantProvisioner,
} from './provisioning/tenant-provisioner';
export { type Mask } from './provisioning/template-data';
export { OnProvision, type TenantProvisionHook } from './provisioning/provision-hooks';
export { OnTransition, type TenantTransitionHook } from './provisioning/transition-hooks';
export {
  type HookOptions,
  type ProvisionHook,
  type SparesOptions,
  type SweeperOptions,
  type TenantOrigin,
  type TenantStep,
  type TransitionHook,
} from './provisioning/provisioning.options';
export { type DomainProof } from './provisioning/domain-proof';
export { dnsTxtProof, type DnsTxtProofOptions, type TxtResolver } from './provisioning/dns-txt-proof';
export { TenantLifecycle } from './provisioning/tenant-lifecycle';
export { type TenantChangeOptions } from './provisioning/tenant-changer';
export { type TenantEvent, TenantEvents, type TenantListener } from './provisioning/tenant-events';
export { type PurgeOptions, TenantPurge } from './provisioning/tenant-purge';
export { RoleChecks, type RoleProblem } from './provisioning/role-checks';
export { type SweepReport, TenantSweeper } from './provisioning/tenant-sweeper';
export { type HalfMadeReport } from './provisioning/half-made';
export { type OrphanReport } from './provisioning/orphans';
export { type PurgeRecord } from './provisioning/purge-records';
export { type TenantPatch, type TenantRequestedBy } from './provisioning/tenant-input';
export {
  DomainNotProvenError,
  InvalidHookError,
  MigrationBusyError,
  MigrationUnfinishedError,
  OwnSessionRequiredError,
  ProvisionHookFailedError,
  ProvisioningFailedError,
  PurgeBlockedError,
  PurgeFailedError,
  RegistryCopiedError,
  RolesNotSafeError,
  SchemaDiffersError,
  SchemaGoneError,
  SchemaNotAdoptableError,
  SchemaNotMarkedError,
  SharedMigrationError,
  SharedSchemaMissingError,
  TemplateBehindError,
  TemplateForeignError,
  TemplateMigrationError,
  TemplateUnfinishedError,
  TransitionHookFailedError,
  UnknownTableError,
} from './provisioning/provisioning.errors';

export { FleetDrift } from './migrations/fleet-drift';
export {
  type DriftDifference,
  type DriftOptions,
  type DriftReport,
  type RepairOptions,
  type TenantDrift,
} from './migrations/drift-report';
export { FleetMigrator, type StartedRun } from './migrations/fleet-migrator';
export { type FleetMigrationOptions } from './migrations/fleet-migrator.options';
export { type FleetStatus, type MigrationReach, type MigrationTrouble } from './migrations/fleet-status';
export {
  type MigrationPlan,
  type PlannedMigration,
  type PlannedSharedMigration,
} from './migrations/migration-plan';
export { type MigrationRun, type RunDirection, type RunState } from './migrations/migration-runs';
export { type FleetReport } from './migrations/fleet-report';
export { type MigrationFailure } from './migrations/migration-ledger';
export { type WaveOptions } from './migrations/waves';
export {
  CommandNotForTemplateError,
  MigrationRunActiveError,
  MigrationRunLostError,
  NothingToRevertError,
  TemplateMovedError,
  UnknownMigrationError,
} from './migrations/migrations.errors';
export { type ExportOptions, type ExportReport, TenantExport } from './transfer/tenant-export';
export { type ImportLimits } from './transfer/import-limits';
export { type ImportOptions, type ImportReport, TenantImport } from './transfer/tenant-import';
export { type Verification } from './transfer/verify-import';
export { ExportFileError, ImportNotFaithfulError } from './transfer/transfer.errors';
export { tenantDataSource, type TenantDataSourceOptions } from './template-data-source';
