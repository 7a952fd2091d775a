/**
 * The core: the module, resolvers, the tenant of the moment, its connection, its life, its migrations.
 *
 * @module nestjs-tenancy
 */

export { TenancyModule } from './tenancy.module';
export { type TenancyOptions } from './options/tenancy.options';
export { type TenancyDatabaseOptions } from './connection/database.options';
export { type TenancyTypeOrmOptions } from './connection/typeorm/typeorm.options';
export {
  ModuleImportedTwiceError,
  ModuleLoadedLateError,
  ModuleMissingError,
  ModuleWithoutOptionsError,
} from './common/start.errors';
export { InvalidTenancyOptionsError } from './options/options.errors';

export { PackageMissingError } from './common/start.errors';
export { isTenancyCli } from './common/tenancy-cli';
export {
  type FieldError,
  TenancyError,
  TenancyUnavailableError,
  TransactionRolledBackError,
  TransportUnknownError,
  ValidationFailedError,
  TenantBusyError,
} from './common/tenancy.errors';
export { StartFailedError } from './common/start.errors';

export { type Isolation, type Place, type Site, siteOf } from './placement/place';
export {
  MoveUnderWayError,
  PlaceNotPossibleError,
  ServerMismatchError,
  ServerNotReadyError,
  ServerUnknownError,
  TenantMovedError,
  TenantMovingError,
} from './placement/placement.errors';
export { type ServerOptions, type Servers as ServersOption } from './connection/servers/server.options';
export { type NewTenantDraft, type PlacementOptions } from './provisioning/provisioning.options';
export { type PlaceRequest } from './provisioning/place-chooser';
export { type Tenant, TENANT_STATUSES, type TenantClaim, type TenantStatus } from './registry/tenant';
export {
  type NewTenant,
  type TenantUpdate,
  type TenantExpectation,
  type TenantQuery,
  TenantStore,
  type TenantWriteOptions,
  type TenantFilter,
} from './registry/store/tenant.store';
export { type AuditQuery, type AuditRecord, type TenantAction } from './registry/events/tenant-audit';
export { TenantChangeFeed, type TenantChangeSubscriber } from './registry/changes/tenant-changes';
export { InMemoryTenantStore } from './registry/store/in-memory-tenant.store';
export { TypeOrmTenantStore } from './registry/store/typeorm-tenant.store';
export { DEFAULT_RESERVED_SLUGS, isSlug } from './registry/claim';
export { normalizeClaim } from './registry/claim';
export { normalizeDomain, normalizeWildcard } from './registry/domain';
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
} from './registry/tenant.errors';

export { type EachTenantOptions, TenantContext } from './context/tenant-context';
export { forSubscriber } from './context/own-emissions';
export { ForeignEmissionError, TenantRequiredError, TenantsFailedError } from './context/context.errors';

export { ADMIN_DATA_SOURCE, TENANT_DATA_SOURCE } from './connection/typeorm/tenant-data-source';
export { type FleetQueryOptions, FleetReader, type FleetRow } from './connection/typeorm/fleet-reader';
export { type IsolationLevel, TenantConnection } from './connection/typeorm/tenant-connection';
export { type TenantTransactionOptions, TenantTransactions } from './connection/typeorm/tenant-transactions';
export { TenantTransaction } from './connection/typeorm/tenant-transaction.interceptor';
export { InjectTenantRepository } from './connection/typeorm/inject-tenant-repository.decorator';
export { type PoolReport, PoolStatistics } from './connection/pool/pool-statistics';
export { type TenantLoad } from './connection/pool/pool-use';
export { type TenantTimeouts, type TenantTimeoutsOption } from './connection/pool/tenant-timeouts';
export {
  CommitOutcomeUnknownError,
  FleetTextError,
  IdleTransactionError,
  LeaseEndedError,
  LockTimeoutError,
  EntityUnknownError,
  SessionNotCleanError,
  StatementTimeoutError,
  TenantContextMismatchError,
  TenantSchemaMissingError,
  TransactionCommandError,
  TransactionDoomedError,
  TransactionOverError,
  UnreadableTextError,
} from './connection/connection.errors';
export {
  AdminUrlElsewhereError,
  DatabaseRefusedError,
  DatabaseUnreachableError,
  DirectUrlElsewhereError,
  EntityNamesSchemaError,
  EntityNotListedError,
  OwnSessionRequiredError,
  UnsafeSessionError,
  UnsupportedStartupParameterError,
} from './connection/connection-start.errors';

export { CloneNotFaithfulError, SchemaNotCloneableError } from './schema/schema.errors';

export {
  type CredentialClaims,
  type Providers,
  type RequestClaim,
  type TenantRequest,
  type TenantResolver,
} from './resolution/resolvers/tenant-resolver';
export { type LookupCacheOptions } from './registry/cache/lookup-cache.options';
export { fromHeader } from './resolution/resolvers/from-header';
export { fromSubdomain, type FromSubdomainOptions } from './resolution/resolvers/from-subdomain';
export { fromDomain, type FromDomainOptions } from './resolution/resolvers/from-domain';
export { fromPath } from './resolution/resolvers/from-path';
export { type TenantPathOptions } from './resolution/resolvers/tenant-path';
export { stripTenantPath, type TenantPathStripper } from './resolution/http/strip-tenant-path';
export { fromQuery } from './resolution/resolvers/from-query';
export { fromCookie } from './resolution/resolvers/from-cookie';
export {
  credentialResolver,
  type CredentialResolverOptions,
} from './resolution/resolvers/credential-resolver';
export { type CarryKey } from './resolution/carried/carried-token';
export { type CarriedPayload, type CarryOptions, TenantCarrier } from './resolution/carried/tenant-carrier';
export {
  CarriedTokenError,
  type CarriedTokenProblem,
  CarryKeysMissingError,
} from './resolution/carried/carried.errors';
export { TenantLookup } from './registry/cache/tenant-lookup';
export { CurrentTenant } from './resolution/http/current-tenant.decorator';
export { CURRENT_TENANT } from './resolution/http/current-tenant.provider';
export { TenantFree, TenantOptional } from './resolution/http/tenant-route.decorator';
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
export { type Mask } from './provisioning/template/template-data';
export {
  OnProvision,
  type ProvisionFailedHook,
  type TenantProvisionHook,
} from './provisioning/hooks/provision-hooks';
export { OnTransition, type TenantTransitionHook } from './provisioning/hooks/transition-hooks';
export {
  type CopiedTenant,
  type HookOptions,
  type ProvisionHook,
  type SparesOptions,
  type SweeperOptions,
  type TenantOrigin,
  type TenantStep,
  type TransitionHook,
} from './provisioning/provisioning.options';
export { type DomainProof } from './provisioning/domains/domain-proof';
export { dnsTxtProof, type DnsTxtProofOptions, type TxtResolver } from './provisioning/domains/dns-txt-proof';
export { TenantLifecycle } from './provisioning/tenant-lifecycle';
export { type TenantChangeOptions } from './provisioning/tenant-changer';
export {
  type TenantCreatedListener,
  type TenantEventName,
  TenantEvents,
  type TenantListener,
} from './provisioning/hooks/tenant-events';
export { type PurgeOptions, TenantPurge } from './provisioning/purge/tenant-purge';
export { RoleChecks, type RoleProblem } from './provisioning/roles/role-checks';
export { type SweepReport, TenantSweeper } from './provisioning/purge/tenant-sweeper';
export { type HalfMadeReport } from './provisioning/purge/half-made';
export { type OrphanReport } from './provisioning/purge/orphans';
export { type PurgeRecord } from './provisioning/purge/purge-records';
export { type TenantPatch, type TenantRequestedBy } from './provisioning/tenant-input';
export {
  DomainNotProvenError,
  MigrationBusyError,
  MigrationUnfinishedError,
  ProvisionHookFailedError,
  ProvisioningFailedError,
  PurgeBlockedError,
  PurgeFailedError,
  RegistryCopiedError,
  SchemaDiffersError,
  SchemaGoneError,
  SchemaNotAdoptableError,
  SchemaNotMarkedError,
  TemplateUnfinishedError,
  TransitionHookFailedError,
} from './provisioning/provisioning.errors';
export {
  InvalidHookError,
  RolesNotSafeError,
  SharedMigrationError,
  SharedSchemaMissingError,
  TemplateBehindError,
  TemplateForeignError,
  TemplateMigrationError,
  UnknownTableError,
} from './provisioning/provisioning-start.errors';

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
export {
  type ImportedItem,
  type ItemCount,
  OnTransfer,
  type TenantTransferHook,
  type TransferItem,
} from './transfer/transfer-hooks';
export { type ImportLimits } from './transfer/import-limits';
export { type ImportOptions, type ImportReport, TenantImport } from './transfer/tenant-import';
export { type Verification } from './transfer/verify-import';
export { ExportFileError, ImportNotFaithfulError } from './transfer/transfer.errors';

export {
  type Move,
  type MoveHow,
  type MoveProgress,
  type MoveState,
  type MoveVerification,
} from './moves/move';
export { MoveSweeper, type MoveSweepReport } from './moves/move-sweeper';
export {
  MoveFailedError,
  MoveInterruptedError,
  MoveLostError,
  MoveNotFoundError,
  MoveNotPossibleError,
} from './moves/moves.errors';
export { type CancelMoveOptions, type MoveOptions, TenantMover } from './moves/tenant-mover';
export { tenantDataSource, type TenantDataSourceOptions } from './migrations/cli-data-source';
