import { findProblems } from './check-options';
import type { FieldError } from '../common/tenancy.errors';
import type { TenantLimits, TenantLimitsOption } from '../connection/pool/tenant-limits';
import { type Environment, EnvironmentReader } from '../common/environment-reader';
import { findUnknown } from './known-options';
import { show } from '../common/show-value';
import { InvalidTenancyOptionsError } from './options.errors';
import type { TenancyDatabaseOptions } from '../connection/connection.options';
import type { ResolvedTenancyOptions, TenancyOptions } from './tenancy.options';
import { DEFAULT_REGISTRY_SCHEMA } from '../registry/registry-schema';
import { DEFAULT_RESERVED_SLUGS } from '../registry/slug';

/**
 * Options with defaults, and with what `TENANCY_*` variables say where the code is silent.
 *
 * @throws InvalidTenancyOptionsError naming every bad option with its value and the remedy
 */
export function resolveOptions(
  given: TenancyOptions,
  environment: Environment = process.env,
): ResolvedTenancyOptions {
  const misshapen = findMisshapen(given);
  // Nothing can be read from these, so there is nothing more to say yet.
  if (misshapen.length > 0) throw new InvalidTenancyOptionsError(misshapen);
  const read = new EnvironmentReader(environment);
  const options = withDefaults(given, read);
  const problems = [...read.problems, ...findUnknown(given), ...findProblems(options, environment)];
  if (problems.length > 0) throw new InvalidTenancyOptionsError(problems);
  return options;
}

function withDefaults(given: TenancyOptions, read: EnvironmentReader): ResolvedTenancyOptions {
  const { database = {}, registry = {}, hooks = {}, spares = {}, sweeper = {}, cache = {} } = given;
  const poolSize = database.poolSize ?? read.integer('TENANCY_POOL_SIZE') ?? 10;
  return {
    ...given,
    database: {
      ...database,
      url: database.url ?? (database.host === undefined ? urlOf(read) : undefined),
      directUrl: database.directUrl ?? read.text('TENANCY_DIRECT_URL'),
      adminUrl: database.adminUrl ?? read.text('TENANCY_ADMIN_URL'),
      poolSize,
      connectTimeoutMs: database.connectTimeoutMs ?? read.integer('TENANCY_CONNECT_TIMEOUT_MS') ?? 10_000,
      answerTimeoutMs: database.answerTimeoutMs ?? read.integer('TENANCY_ANSWER_TIMEOUT_MS'),
      ...lendingOf(database, poolSize, read),
      connectAttempts: database.connectAttempts ?? read.integer('TENANCY_CONNECT_ATTEMPTS') ?? 10,
      connectRetryDelayMs:
        database.connectRetryDelayMs ?? read.integer('TENANCY_CONNECT_RETRY_DELAY_MS') ?? 3_000,
    },
    fallbackTenant: given.fallbackTenant ?? read.text('TENANCY_FALLBACK_TENANT'),
    trustedProxies: given.trustedProxies ?? read.list('TENANCY_TRUSTED_PROXIES'),
    vary: given.vary ?? read.boolean('TENANCY_VARY') ?? true,
    roles: given.roles ?? read.boolean('TENANCY_ROLES') ?? false,
    sharedSchemas: given.sharedSchemas ?? read.list('TENANCY_SHARED_SCHEMAS') ?? [],
    sharedMigrations: given.sharedMigrations ?? {},
    templateSchema: given.templateSchema ?? read.text('TENANCY_TEMPLATE_SCHEMA') ?? 'template',
    templateData: given.templateData ?? read.list('TENANCY_TEMPLATE_DATA') ?? [],
    hooks: { onProvision: hooks.onProvision ?? [], onTransition: hooks.onTransition ?? [] },
    spares: {
      count: spares.count ?? read.integer('TENANCY_SPARES_COUNT') ?? 0,
      refillConcurrency: spares.refillConcurrency ?? read.integer('TENANCY_SPARES_REFILL_CONCURRENCY') ?? 1,
    },
    sweeper: {
      intervalMs: sweeper.intervalMs ?? read.integer('TENANCY_SWEEPER_INTERVAL_MS') ?? 600_000,
      purgeAfterMs: sweeper.purgeAfterMs ?? read.integer('TENANCY_SWEEPER_PURGE_AFTER_MS'),
      orphanAfterMs: sweeper.orphanAfterMs ?? read.integer('TENANCY_SWEEPER_ORPHAN_AFTER_MS') ?? 86_400_000,
    },
    migrateTemplate: given.migrateTemplate ?? read.boolean('TENANCY_MIGRATE_TEMPLATE') ?? true,
    registry: {
      schema: registry.schema ?? read.text('TENANCY_REGISTRY_SCHEMA') ?? DEFAULT_REGISTRY_SCHEMA,
      migrate: registry.migrate ?? read.boolean('TENANCY_REGISTRY_MIGRATE') ?? true,
    },
    reservedSlugs: given.reservedSlugs ?? read.list('TENANCY_RESERVED_SLUGS') ?? DEFAULT_RESERVED_SLUGS,
    wildcardDomains: given.wildcardDomains ?? read.boolean('TENANCY_WILDCARD_DOMAINS') ?? false,
    cache: {
      ttlMs: cache.ttlMs ?? read.integer('TENANCY_CACHE_TTL_MS'),
      maxEntries: cache.maxEntries ?? read.integer('TENANCY_CACHE_MAX_ENTRIES'),
      staleIfErrorMs: cache.staleIfErrorMs ?? read.integer('TENANCY_CACHE_STALE_IF_ERROR_MS'),
    },
  };
}

/** 1 of what is no size, which is told of by itself. */
function halfOf(poolSize: number): number {
  const half = Math.ceil(poolSize / 2);
  return Number.isSafeInteger(half) && half > 0 ? half : 1;
}

/** One tenant leaves half of the connections to the others. */
function lendingOf(database: TenancyDatabaseOptions, poolSize: number, read: EnvironmentReader) {
  return {
    maxConnectionsPerTenant:
      database.maxConnectionsPerTenant ??
      read.integer('TENANCY_MAX_CONNECTIONS_PER_TENANT') ??
      halfOf(poolSize),
    maxWaitingPerTenant:
      database.maxWaitingPerTenant ?? read.integer('TENANCY_MAX_WAITING_PER_TENANT') ?? 1_000,
    maxTenantsPerConnection:
      database.maxTenantsPerConnection ?? read.integer('TENANCY_MAX_TENANTS_PER_CONNECTION') ?? 1_000,
    leaseWarningMs: database.leaseWarningMs ?? read.integer('TENANCY_LEASE_WARNING_MS') ?? 30_000,
    limits: limitsOf(database.limits, read),
    tenantInApplicationName:
      database.tenantInApplicationName ?? read.boolean('TENANCY_TENANT_IN_APPLICATION_NAME') ?? false,
  };
}

/** What is left out, by a function too, is as the variables say. */
function limitsOf(limits: TenancyDatabaseOptions['limits'], read: EnvironmentReader): TenantLimitsOption {
  const statementTimeoutMs = read.integer('TENANCY_STATEMENT_TIMEOUT_MS');
  const lockTimeoutMs = read.integer('TENANCY_LOCK_TIMEOUT_MS');
  const idleInTransactionTimeoutMs = read.integer('TENANCY_IDLE_IN_TRANSACTION_TIMEOUT_MS');
  const completed = (given: TenantLimits | undefined): TenantLimits => ({
    ...given,
    statementTimeoutMs: given?.statementTimeoutMs ?? statementTimeoutMs,
    lockTimeoutMs: given?.lockTimeoutMs ?? lockTimeoutMs,
    idleInTransactionTimeoutMs: given?.idleInTransactionTimeoutMs ?? idleInTransactionTimeoutMs,
  });
  if (typeof limits === 'function') return (tenant) => completed(limits(tenant));
  return limits === undefined || isObject(limits) ? completed(limits) : limits;
}

function urlOf(read: EnvironmentReader): string | undefined {
  return read.text('TENANCY_DATABASE_URL') ?? read.text('DATABASE_URL');
}

const GROUPS = ['database', 'registry', 'hooks', 'spares', 'sweeper', 'cache', 'typeorm'] as const;

/** What should hold options and is no object. */
function findMisshapen(given: unknown): FieldError[] {
  if (!isObject(given)) return [{ field: 'options', message: `is ${kindOf(given)}: give an object` }];
  const groups = given as Partial<Record<string, unknown>>;
  return GROUPS.filter((name) => groups[name] !== undefined && !isObject(groups[name])).map((field) => ({
    field,
    message: `is ${kindOf(groups[field])}: give an object, or leave it out`,
  }));
}

/** A text given by mistake may be a URL with a password in it. */
function kindOf(value: unknown): string {
  return typeof value === 'string' ? 'a text' : show(value);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
