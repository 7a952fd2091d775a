import { type Names, unknownNames } from '../common/known-names';
import type { FieldError } from '../common/tenancy.errors';
import type { TenantLimits } from '../connection/pool/tenant-limits';
import type { HookOptions, SparesOptions, SweeperOptions } from '../provisioning/provisioning.options';
import { LOOKUP_CACHE_OPTIONS } from '../registry/cache/lookup-cache.options';
import type { TenancyDatabaseOptions } from '../connection/connection.options';
import type { TenancyOptions } from './tenancy.options';

const OPTIONS: Names<TenancyOptions> = {
  database: true,
  entities: true,
  migrations: true,
  subscribers: true,
  resolvers: true,
  fallbackTenant: true,
  trustedProxies: true,
  vary: true,
  sharedSchemas: true,
  sharedMigrations: true,
  templateSchema: true,
  templateData: true,
  roles: true,
  hooks: true,
  spares: true,
  sweeper: true,
  migrateTemplate: true,
  registry: true,
  store: true,
  reservedSlugs: true,
  wildcardDomains: true,
  domainProof: true,
  cache: true,
  typeorm: true,
};

const DATABASE: Names<TenancyDatabaseOptions> = {
  url: true,
  host: true,
  port: true,
  username: true,
  password: true,
  database: true,
  ssl: true,
  applicationName: true,
  extra: true,
  directUrl: true,
  adminUrl: true,
  poolSize: true,
  connectTimeoutMs: true,
  answerTimeoutMs: true,
  maxConnectionsPerTenant: true,
  maxWaitingPerTenant: true,
  maxTenantsPerConnection: true,
  leaseWarningMs: true,
  limits: true,
  tenantInApplicationName: true,
  connectAttempts: true,
  connectRetryDelayMs: true,
};

const LIMITS: Names<TenantLimits> = {
  statementTimeoutMs: true,
  lockTimeoutMs: true,
  idleInTransactionTimeoutMs: true,
};

const REGISTRY: Names<NonNullable<TenancyOptions['registry']>> = { schema: true, migrate: true };
const HOOKS: Names<HookOptions> = { onProvision: true, onTransition: true };
const SPARES: Names<SparesOptions> = { count: true, refillConcurrency: true };
const SWEEPER: Names<SweeperOptions> = { intervalMs: true, purgeAfterMs: true, orphanAfterMs: true };

/** What is given under names that no option has. */
export function findUnknown(given: TenancyOptions): FieldError[] {
  return [
    ...unknownIn('', OPTIONS, given),
    ...unknownIn('database.', DATABASE, given.database),
    ...unknownIn('database.limits.', LIMITS, given.database?.limits ?? undefined),
    ...unknownIn('registry.', REGISTRY, given.registry),
    ...unknownIn('hooks.', HOOKS, given.hooks),
    ...unknownIn('spares.', SPARES, given.spares),
    ...unknownIn('sweeper.', SWEEPER, given.sweeper),
    ...unknownIn('cache.', LOOKUP_CACHE_OPTIONS, given.cache),
  ];
}

function unknownIn(group: string, known: Names<object>, given: object = {}): FieldError[] {
  return unknownNames(given, known, group).map(({ name, problem }) => ({ field: name, message: problem }));
}
