import { quoteIdentifier } from '../common/sql';
import type { FieldError } from '../common/tenancy.errors';
import { LIMIT_SETTINGS, MAX_LIMIT_MS } from '../connection/pool/tenant-limits';
import type { Environment } from '../common/environment-reader';
import { trustIn } from '../resolution/http/tenant-request';
import { isCutInPassword, show, showUrl } from '../common/show-value';
import type { ResolvedTenancyOptions } from './tenancy.options';
import { checkRegistrySchema } from '../registry/registry-schema';
import { isSlug } from '../registry/slug';

/** Node's timers fire at once when told to wait longer: about 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** lru-cache makes room for all entries when it is made. */
const MAX_CACHE_ENTRIES = 1_000_000;

/** Each is a whole schema; more of them are a slip of the finger. */
const MAX_SPARES = 1_000;

/** TypeORM options that tenancy cannot live with, or that have a place of their own, and why. */
const REFUSED_TYPEORM_OPTIONS: Readonly<Record<string, string>> = {
  schema: 'would be written in front of every table, so all tenants would share one',
  synchronize: 'would change one schema behind the back of all others: write a migration',
  migrationsRun: 'would run migrations outside the template: they are run by migrateTemplate',
  dropSchema: 'would drop what TypeORM takes for the current schema',
  cache:
    'keeps rows by the text of the statement, which is the same for every tenant: one would get the rows of another',
  driver: 'is how tenants get their connections',
  type: 'is always postgres',
  name: 'is always that of TENANT_DATA_SOURCE',
  nativeDriver: 'cannot carry a tenant with a statement',
  installExtensions:
    'would install extensions at start: run CREATE EXTENSION … SCHEMA in one of the sharedSchemas once',
  uuidExtension: 'is always pgcrypto, whose gen_random_uuid() needs no extension',
  connectTimeoutMS: 'is database.connectTimeoutMs here',
  migrationsTableName:
    'would name a table that nothing reads: what ran is kept in the registry, for the template and for each tenant',
  metadataTableName: 'is always typeorm_metadata, whose rows each tenant gets with its tables',
  ...Object.fromEntries(
    [
      'url',
      'host',
      'port',
      'username',
      'password',
      'database',
      'ssl',
      'applicationName',
      'extra',
      'poolSize',
    ].map((name) => [name, `is database.${name} here`]),
  ),
  ...Object.fromEntries(
    ['entities', 'migrations', 'subscribers'].map((name) => [name, `is an option of its own: ${name}`]),
  ),
};

const SCHEMA_RULE = 'must be 1 to 63 bytes, not pg_… and not a dot-separated name';

type Check = readonly [field: string, ok: boolean, message: string];

/** Every bad option, with its value and the remedy. */
export function findProblems(options: ResolvedTenancyOptions, environment: Environment): FieldError[] {
  const checks = [
    ...databaseChecks(options.database),
    ...roleChecks(options),
    ...applicationChecks(options),
    ...schemaChecks(options),
    ...provisioningChecks(options),
    ...cacheChecks(options.cache),
    ...typeormChecks(options.typeorm),
    [
      'NODE_PG_FORCE_NATIVE',
      !environment.NODE_PG_FORCE_NATIVE,
      'is set, but the native driver cannot carry a tenant with a statement: unset it',
    ] as const,
  ];
  return checks.filter(([, ok]) => !ok).map(([field, , message]) => ({ field, message }));
}

function databaseChecks(database: ResolvedTenancyOptions['database']): Check[] {
  return [
    [
      'database.url',
      isReachable(database),
      `is ${showUrl(database.url)}: give a postgres:// URL, or database.host, or set TENANCY_DATABASE_URL or DATABASE_URL`,
    ],
    [
      'database.directUrl',
      database.directUrl === undefined || isPostgresUrl(database.directUrl),
      `is ${showUrl(database.directUrl)}: give a postgres:// URL that leads around the pooler, or leave it out`,
    ],
    [
      'database.extra.pipeline',
      !(database.extra as { readonly pipeline?: unknown } | undefined)?.pipeline,
      'must not be set: each statement would be one by itself, and run although the settings that carry its tenant had failed',
    ],
    integerCheck('database.port', database.port ?? 5432, 1, 65_535),
    integerCheck('database.poolSize', database.poolSize, 1),
    integerCheck('database.connectTimeoutMs', database.connectTimeoutMs, 1, MAX_TIMER_MS, 'milliseconds, '),
    integerCheck(
      'database.answerTimeoutMs',
      database.answerTimeoutMs ?? 1,
      1,
      MAX_TIMER_MS,
      'milliseconds, ',
    ),
    ...lendingChecks(database),
    integerCheck('database.connectAttempts', database.connectAttempts, 1),
    integerCheck(
      'database.connectRetryDelayMs',
      database.connectRetryDelayMs,
      0,
      MAX_TIMER_MS,
      'milliseconds, ',
    ),
  ];
}

function lendingChecks(database: ResolvedTenancyOptions['database']): Check[] {
  return [
    integerCheck('database.maxConnectionsPerTenant', database.maxConnectionsPerTenant, 1),
    integerCheck('database.maxWaitingPerTenant', database.maxWaitingPerTenant, 0),
    integerCheck('database.maxTenantsPerConnection', database.maxTenantsPerConnection, 0),
    integerCheck('database.leaseWarningMs', database.leaseWarningMs, 0, MAX_TIMER_MS, 'milliseconds, '),
    ...limitChecks(database.limits),
    booleanCheck('database.tenantInApplicationName', database.tenantInApplicationName),
  ];
}

/** Those of a function are checked when it has given them. */
function limitChecks(limits: unknown): Check[] {
  if (typeof limits === 'function') return [];
  const names = Object.keys(LIMIT_SETTINGS);
  if (typeof limits !== 'object' || limits === null)
    return [
      [
        'database.limits',
        false,
        `is ${show(limits)}: give an object with ${names.join(', ')}, or a function`,
      ],
    ];
  return Object.entries(limits)
    .filter(([name, ms]) => names.includes(name) && ms !== undefined)
    .map(([name, ms]) => integerCheck(`database.limits.${name}`, ms, 0, MAX_LIMIT_MS, 'milliseconds, '));
}

function roleChecks({ roles, database: { url, adminUrl } }: ResolvedTenancyOptions): Check[] {
  return [
    booleanCheck('roles', roles),
    [
      'database.adminUrl',
      adminUrl === undefined || isPostgresUrl(adminUrl),
      `is ${showUrl(adminUrl)}: give a postgres:// URL whose role owns the schemas of tenants`,
    ],
    [
      'database.adminUrl',
      roles !== true || adminUrl !== undefined,
      'is missing: with roles requests own nothing, so give a URL whose role does, or set TENANCY_ADMIN_URL',
    ],
    [
      'database.adminUrl',
      roles !== true || adminUrl === undefined || adminUrl !== url,
      'is the same as database.url: with roles requests must come by another role than the one that owns the schemas',
    ],
    [
      'database.adminUrl',
      roles === true || !isPostgresUrl(adminUrl),
      `is ${showUrl(adminUrl)}, but nothing uses it without roles: set roles: true, or leave it out`,
    ],
  ];
}

function applicationChecks(options: ResolvedTenancyOptions): Check[] {
  const { entities, migrations, subscribers, resolvers, fallbackTenant, store, reservedSlugs } = options;
  const { trustedProxies, vary, wildcardDomains, domainProof } = options;
  return [
    [
      'entities',
      isList(entities),
      `is ${show(entities)}: list the entities of your tenants, [] if there are none`,
    ],
    ['migrations', migrations === undefined || isList(migrations), `is ${show(migrations)}: give a list`],
    ['subscribers', subscribers === undefined || isList(subscribers), `is ${show(subscribers)}: give a list`],
    [
      'resolvers',
      isListOf(resolvers, (each) => typeof each === 'function') && resolvers.length > 0,
      `is ${show(resolvers)}: give at least one resolver, such as fromHeader('x-tenant-id')`,
    ],
    [
      'fallbackTenant',
      fallbackTenant === undefined || isSlug(fallbackTenant),
      `is ${show(fallbackTenant)}: give the slug of a tenant`,
    ],
    [
      'trustedProxies',
      trustedProxies === undefined || isListOf(trustedProxies, isProxy),
      `is ${show(trustedProxies)}: list IP addresses, CIDR ranges, 'loopback', 'linklocal' or 'uniquelocal'`,
    ],
    [
      'store',
      store === undefined || typeof store === 'function' || typeof store?.find === 'function',
      `is ${store ? 'something else' : show(store)}: give a TenantStore, or a class that is one`,
    ],
    [
      'reservedSlugs',
      isListOf(reservedSlugs, (each) => typeof each === 'string'),
      `is ${show(reservedSlugs)}: give a list of words`,
    ],
    booleanCheck('vary', vary),
    booleanCheck('wildcardDomains', wildcardDomains),
    [
      'domainProof',
      domainProof === undefined || typeof domainProof?.prove === 'function',
      `is ${domainProof ? 'something else' : show(domainProof)}: give dnsTxtProof(), or an object with prove()`,
    ],
  ];
}

function schemaChecks({
  templateSchema,
  registry,
  sharedSchemas,
  sharedMigrations,
  migrateTemplate,
}: ResolvedTenancyOptions): Check[] {
  const names: readonly unknown[] = Array.isArray(sharedSchemas) ? sharedSchemas : [];
  return [
    ['templateSchema', isSchemaName(templateSchema), `is ${show(templateSchema)}: it ${SCHEMA_RULE}`],
    [
      'registry.schema',
      isRegistrySchema(registry.schema),
      `is ${show(registry.schema)}: it ${SCHEMA_RULE}, of a-z, 0-9 and _`,
    ],
    [
      'registry.schema',
      registry.schema !== templateSchema,
      `is ${show(registry.schema)}, as the templateSchema is: give them different names`,
    ],
    [
      'sharedSchemas',
      isListOf(sharedSchemas, isSchemaName),
      `is ${show(sharedSchemas)}: give a list of names; each ${SCHEMA_RULE}`,
    ],
    [
      'sharedSchemas',
      !names.includes(templateSchema),
      `names the template, ${show(templateSchema)}: tenants would see its tables; leave it out`,
    ],
    [
      'sharedSchemas',
      !names.includes(registry.schema),
      `names the registry, ${show(registry.schema)}: tenants would see each other there; leave it out`,
    ],
    [
      'sharedMigrations',
      isMigrationsBySchema(sharedMigrations) &&
        Object.keys(sharedMigrations).every((name) => names.includes(name)),
      `is ${show(sharedMigrations)}: give lists of migrations by the names of sharedSchemas: { reference: [CreateCountries…] }`,
    ],
    booleanCheck('migrateTemplate', migrateTemplate),
    booleanCheck('registry.migrate', registry.migrate),
  ];
}

function provisioningChecks({ templateData, hooks, spares, sweeper }: ResolvedTenancyOptions): Check[] {
  return [
    [
      'templateData',
      isListOf(templateData, (each) => typeof each === 'string' && each !== ''),
      `is ${show(templateData)}: give a list of tables of the template`,
    ],
    [
      'hooks.onProvision',
      isListOf(hooks.onProvision, (each) => typeof each === 'function'),
      `is ${show(hooks.onProvision)}: give a list of functions; a class is a provider with @OnProvision()`,
    ],
    [
      'hooks.onTransition',
      isListOf(hooks.onTransition, (each) => typeof each === 'function'),
      `is ${show(hooks.onTransition)}: give a list of functions; a class is a provider with @OnTransition()`,
    ],
    integerCheck('spares.count', spares.count, 0, MAX_SPARES),
    integerCheck('spares.refillConcurrency', spares.refillConcurrency, 1),
    integerCheck('sweeper.intervalMs', sweeper.intervalMs, 0, MAX_TIMER_MS, 'milliseconds, '),
    integerCheck('sweeper.purgeAfterMs', sweeper.purgeAfterMs ?? 0, 0, undefined, 'milliseconds, '),
    integerCheck('sweeper.orphanAfterMs', sweeper.orphanAfterMs, 0, undefined, 'milliseconds, '),
  ];
}

function cacheChecks({
  maxEntries = 1,
  ttlMs = 0,
  staleIfErrorMs = 0,
}: NonNullable<ResolvedTenancyOptions['cache']> = {}): Check[] {
  return [
    integerCheck('cache.maxEntries', maxEntries, 1, MAX_CACHE_ENTRIES),
    integerCheck('cache.ttlMs', ttlMs, 0, Number.MAX_SAFE_INTEGER, 'milliseconds, '),
    integerCheck('cache.staleIfErrorMs', staleIfErrorMs, 0, Number.MAX_SAFE_INTEGER, 'milliseconds, '),
  ];
}

/** `synchronize: false` asks for nothing. */
function typeormChecks(typeorm: object = {}): Check[] {
  const given = new Map<string, unknown>(Object.entries(typeorm));
  const mode = given.get('migrationsTransactionMode');
  return [
    ...Object.entries(REFUSED_TYPEORM_OPTIONS).map(([name, why]): Check => [
      `typeorm.${name}`,
      given.get(name) === undefined || given.get(name) === false,
      `must not be set: it ${why}`,
    ]),
    [
      'typeorm.migrationsTransactionMode',
      mode === undefined || mode === 'each',
      `is ${show(mode)}: leave it out, or give 'each'. Each migration runs in a transaction of its own, so that a later one ` +
        'can use the values that it adds to an enum; one that must run outside of a transaction says transaction = false',
    ],
  ];
}

function integerCheck(
  field: string,
  value: unknown,
  from: number,
  to = Number.MAX_SAFE_INTEGER,
  unit = '',
): Check {
  const ok = Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
  const upTo = to === Number.MAX_SAFE_INTEGER ? '' : ` to ${to}`;
  return [field, ok, `is ${show(value)}: give ${unit}an integer from ${from}${upTo}`];
}

function booleanCheck(field: string, value: unknown): Check {
  // A text such as 'false' would count as true.
  return [field, typeof value === 'boolean', `is ${show(value)}: give true or false`];
}

function isProxy(proxy: unknown): boolean {
  try {
    return typeof proxy === 'string' && trustIn([proxy]) !== undefined;
  } catch {
    return false;
  }
}

function isSchemaName(name: unknown): boolean {
  if (typeof name !== 'string' || name.startsWith('pg_') || name.includes('.')) return false;
  try {
    return quoteIdentifier(name) !== '';
  } catch {
    return false;
  }
}

function isRegistrySchema(name: unknown): boolean {
  try {
    return typeof name === 'string' && checkRegistrySchema(name) === name;
  } catch {
    return false;
  }
}

function isReachable({ url, host }: { url?: unknown; host?: unknown }): boolean {
  if (url === undefined) return typeof host === 'string' && host !== '';
  return isPostgresUrl(url);
}

function isPostgresUrl(url: unknown): boolean {
  return (
    typeof url === 'string' && /^postgres(ql)?:\/\//.test(url) && URL.canParse(url) && !isCutInPassword(url)
  );
}

function isMigrationsBySchema(value: unknown): boolean {
  return isList(value) && !Array.isArray(value) && Object.values(value as object).every(isList);
}

/** TypeORM takes lists, and modules: objects whose values are the list. */
function isList(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function isListOf(value: unknown, check: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(check);
}
