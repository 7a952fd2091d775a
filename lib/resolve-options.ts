import { inspect } from 'node:util';
import { quoteIdentifier } from './common/sql';
import type { FieldError } from './common/tenancy.errors';
import { checkRegistrySchema, DEFAULT_REGISTRY_SCHEMA } from './tenant/registry-schema';
import { DEFAULT_RESERVED_SLUGS, isSlug } from './tenant/slug';
import { InvalidTenancyOptionsError } from './tenancy.errors';
import type { ResolvedTenancyOptions, TenancyOptions } from './tenancy.options';

type Environment = Readonly<Record<string, string | undefined>>;

/** TypeORM options that tenancy cannot live with, and why. */
const REFUSED_TYPEORM_OPTIONS: Readonly<Record<string, string>> = {
  schema: 'would be written in front of every table, so all tenants would share one',
  synchronize: 'would change one schema behind the back of all others: write a migration',
  migrationsRun: 'would run migrations outside the template: they are run by migrateTemplate',
  dropSchema: 'would drop what TypeORM takes for the current schema',
  cache:
    'keeps rows by the text of the statement, which is the same for every tenant: one would get the rows of another',
  driver: 'is how tenants get their connections',
  type: 'is always postgres',
  nativeDriver: 'cannot carry a tenant with a statement',
  installExtensions:
    'would install extensions at start: run CREATE EXTENSION … SCHEMA in one of the sharedSchemas once',
};

/**
 * Options with defaults, and with what `TENANCY_*` variables say where the code is silent.
 *
 * @throws InvalidTenancyOptionsError naming every bad option with its value and the remedy
 */
export function resolveOptions(
  given: TenancyOptions,
  environment: Environment = process.env,
): ResolvedTenancyOptions {
  const problems: FieldError[] = [];
  const read = new EnvironmentReader(environment, problems);
  const { database = {} } = given;
  const ownUrl = read.text('TENANCY_DATABASE_URL') ?? environment.DATABASE_URL;
  const options: ResolvedTenancyOptions = {
    ...given,
    database: {
      ...database,
      url: database.url ?? (database.host === undefined ? ownUrl : undefined),
      poolSize: database.poolSize ?? read.integer('TENANCY_POOL_SIZE') ?? 10,
      connectTimeoutMs: database.connectTimeoutMs ?? read.integer('TENANCY_CONNECT_TIMEOUT_MS') ?? 10_000,
      connectAttempts: database.connectAttempts ?? read.integer('TENANCY_CONNECT_ATTEMPTS') ?? 10,
      connectRetryDelayMs:
        database.connectRetryDelayMs ?? read.integer('TENANCY_CONNECT_RETRY_DELAY_MS') ?? 3_000,
    },
    fallbackTenant: given.fallbackTenant ?? read.text('TENANCY_FALLBACK_TENANT'),
    sharedSchemas: given.sharedSchemas ?? read.list('TENANCY_SHARED_SCHEMAS') ?? [],
    templateSchema: given.templateSchema ?? read.text('TENANCY_TEMPLATE_SCHEMA') ?? 'template',
    migrateTemplate: given.migrateTemplate ?? read.boolean('TENANCY_MIGRATE_TEMPLATE') ?? true,
    registry: {
      schema: given.registry?.schema ?? read.text('TENANCY_REGISTRY_SCHEMA') ?? DEFAULT_REGISTRY_SCHEMA,
      migrate: given.registry?.migrate ?? read.boolean('TENANCY_REGISTRY_MIGRATE') ?? true,
    },
    reservedSlugs: given.reservedSlugs ?? read.list('TENANCY_RESERVED_SLUGS') ?? DEFAULT_RESERVED_SLUGS,
  };
  problems.push(...problemsOf(options, environment));
  if (problems.length > 0) throw new InvalidTenancyOptionsError(problems);
  return options;
}

function problemsOf(options: ResolvedTenancyOptions, environment: Environment): FieldError[] {
  const { database, registry, typeorm = {}, resolvers, fallbackTenant, cache = {} } = options;
  const checks: readonly (readonly [field: string, ok: boolean, message: string])[] = [
    [
      'database.url',
      isReachable(database),
      `is ${show(redact(database.url))}: give a postgres:// URL, or database.host, or set TENANCY_DATABASE_URL`,
    ],
    [
      'database.poolSize',
      isInteger(database.poolSize, 1),
      `is ${show(database.poolSize)}: give an integer from 1`,
    ],
    [
      'database.connectTimeoutMs',
      isInteger(database.connectTimeoutMs, 1),
      `is ${show(database.connectTimeoutMs)}: give milliseconds, an integer from 1`,
    ],
    [
      'database.connectAttempts',
      isInteger(database.connectAttempts, 1),
      `is ${show(database.connectAttempts)}: give an integer from 1`,
    ],
    [
      'database.connectRetryDelayMs',
      isInteger(database.connectRetryDelayMs, 0),
      `is ${show(database.connectRetryDelayMs)}: give milliseconds, an integer from 0`,
    ],
    [
      'entities',
      options.entities !== undefined,
      'is missing: list the entities of your tenants, [] if there are none',
    ],
    [
      'resolvers',
      Array.isArray(resolvers) &&
        resolvers.length > 0 &&
        resolvers.every((each) => typeof each === 'function'),
      `is ${show(resolvers)}: give at least one resolver, such as fromHeader('x-tenant-id')`,
    ],
    [
      'fallbackTenant',
      fallbackTenant === undefined || isSlug(fallbackTenant),
      `is ${show(fallbackTenant)}: give the slug of a tenant`,
    ],
    [
      'templateSchema',
      isSchemaName(options.templateSchema),
      `is ${show(options.templateSchema)}: ${SCHEMA_RULE}`,
    ],
    [
      'registry.schema',
      isRegistrySchema(registry.schema),
      `is ${show(registry.schema)}: ${SCHEMA_RULE}, of a-z, 0-9 and _`,
    ],
    [
      'registry.schema',
      registry.schema !== options.templateSchema,
      'is the templateSchema too: give them different names',
    ],
    [
      'sharedSchemas',
      isListOf(options.sharedSchemas, isSchemaName),
      `is ${show(options.sharedSchemas)}: give a list of names; each ${SCHEMA_RULE}`,
    ],
    [
      'sharedSchemas',
      !options.sharedSchemas?.includes?.(options.templateSchema),
      'names the template: tenants would see its tables',
    ],
    [
      'reservedSlugs',
      isListOf(options.reservedSlugs, (each) => typeof each === 'string'),
      `is ${show(options.reservedSlugs)}: give a list of words`,
    ],
    [
      'cache.maxEntries',
      cache.maxEntries === undefined || isInteger(cache.maxEntries, 1),
      `is ${show(cache.maxEntries)}: give an integer from 1`,
    ],
    [
      'cache.ttlMs',
      cache.ttlMs === undefined || isInteger(cache.ttlMs, 0),
      `is ${show(cache.ttlMs)}: give milliseconds, an integer from 0`,
    ],
    [
      'NODE_PG_FORCE_NATIVE',
      !environment.NODE_PG_FORCE_NATIVE,
      'is set, but the native driver cannot carry a tenant with a statement: unset it',
    ],
    ...Object.entries(REFUSED_TYPEORM_OPTIONS).map(
      ([name, why]) => [`typeorm.${name}`, !isGiven(typeorm, name), `must not be set: it ${why}`] as const,
    ),
  ];
  return checks.filter(([, ok]) => !ok).map(([field, , message]) => ({ field, message }));
}

/** `synchronize: false` asks for nothing. */
function isGiven(options: object, name: string): boolean {
  const value: unknown = (options as Record<string, unknown>)[name];
  return value !== undefined && value !== false;
}

const SCHEMA_RULE = 'must be 1 to 63 bytes, not pg_… and not a dot-separated name';

function isSchemaName(name: unknown): boolean {
  if (typeof name !== 'string' || name.startsWith('pg_') || name.includes('.')) return false;
  try {
    return quoteIdentifier(name) !== '';
  } catch {
    return false;
  }
}

function isRegistrySchema(name: string): boolean {
  try {
    return checkRegistrySchema(name) === name;
  } catch {
    return false;
  }
}

function isReachable({ url, host }: { url?: string; host?: string }): boolean {
  return url === undefined ? host !== undefined : /^postgres(ql)?:\/\//.test(url) && URL.canParse(url);
}

function isInteger(value: unknown, from: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= from;
}

function isListOf(value: unknown, check: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(check);
}

function show(value: unknown): string {
  return value === undefined
    ? 'missing'
    : inspect(value, { depth: 1, maxStringLength: 200, breakLength: Infinity });
}

/** A URL's password has no place in a log. */
function redact(url: string | undefined): string | undefined {
  return url?.replace(/:[^:@/]*@/, ':***@');
}

/** `TENANCY_*` variables. An empty one is as good as unset. */
class EnvironmentReader {
  constructor(
    private readonly environment: Environment,
    private readonly problems: FieldError[],
  ) {}

  text(name: string): string | undefined {
    return this.environment[name] || undefined;
  }

  list(name: string): string[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((each) => each.trim())
      .filter(Boolean);
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text !== undefined && /^\d+$/.test(text)) return Number(text);
    if (text !== undefined) this.problems.push({ field: name, message: `is ${show(text)}: give an integer` });
    return undefined;
  }

  boolean(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === 'true') return true;
    if (text === 'false') return false;
    if (text !== undefined)
      this.problems.push({ field: name, message: `is ${show(text)}: give true or false` });
    return undefined;
  }
}
