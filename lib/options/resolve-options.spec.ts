import type { TenantTimeouts, TenantTimeoutsOption } from '../connection/pool/tenant-timeouts';
import { resolveOptions } from './resolve-options';
import { InvalidTenancyOptionsError } from './options.errors';
import type { TenancyOptions } from './tenancy.options';
import { InMemoryTenantStore } from '../registry/store/in-memory-tenant.store';

const URL = 'postgres://app:secret@db.example.com:6432/shop?sslmode=require';
const resolver = () => undefined;
const GOOD: TenancyOptions = { database: { url: URL }, entities: [], resolvers: [resolver] };

/** What is wrong with these options, one line each; nothing when they are good. */
function problems(options: unknown, environment: Record<string, string | undefined> = {}): string[] {
  try {
    resolveOptions(options as TenancyOptions, environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidTenancyOptionsError);
    const { problems: found, message } = error as InvalidTenancyOptionsError;
    expect(message).toBe(
      `TenancyModule cannot start:\n${found.map((each) => `- ${each.field} ${each.message}`).join('\n')}`,
    );
    return found.map((each) => `${each.field} ${each.message}`);
  }
}

const problemsOf = (options: Record<string, unknown>) => problems({ ...GOOD, ...options });

describe('options', () => {
  it('need no more than a database, entities and a resolver', () => {
    expect(resolveOptions(GOOD, {})).toEqual({
      database: {
        url: URL,
        poolSize: 10,
        connectTimeoutMs: 10_000,
        maxConnectionsPerTenant: 5,
        maxConnectionsPerDatabase: 2,
        maxWaitingPerTenant: 1_000,
        maxTenantsPerConnection: 1_000,
        leaseWarningMs: 30_000,
        timeouts: {},
        tenantInApplicationName: false,
        connectAttempts: 10,
        connectRetryDelayMs: 3_000,
      },
      entities: [],
      resolvers: [resolver],
      fallbackTenant: undefined,
      sharedSchemas: [],
      sharedMigrations: {},
      templateSchema: 'template',
      templateData: [],
      hooks: { onProvision: [], onTransition: [] },
      servers: {},
      moves: { waitMs: 10_000, drainMs: 30_000, catchUpMs: 600_000, keepMs: 86_400_000 },
      placement: { default: { server: 'default', isolation: 'schema' }, of: undefined },
      spares: { count: 0, databases: 0, refillConcurrency: 1 },
      sweeper: { intervalMs: 600_000, purgeAfterMs: undefined, orphanAfterMs: 86_400_000 },
      migrateTemplate: true,
      registry: { schema: 'tenancy', migrate: true },
      reservedSlugs: ['www', 'api', 'app', 'admin', 'mail', 'static'],
      wildcardDomains: false,
      vary: true,
      cache: { maxEntries: 10_000, ttlMs: 60_000, staleIfErrorMs: 60_000 },
      roles: false,
    });
  });

  it('may all be given', () => {
    class OwnStore extends InMemoryTenantStore {}
    const options: TenancyOptions = {
      database: {
        host: '/var/run/postgresql',
        port: 5433,
        database: 'shop',
        ssl: false,
        poolSize: 1,
        connectTimeoutMs: 1,
        maxConnectionsPerTenant: 1,
        maxConnectionsPerDatabase: 2,
        maxWaitingPerTenant: 0,
        maxTenantsPerConnection: 0,
        leaseWarningMs: 0,
        timeouts: { statementTimeoutMs: 0, lockTimeoutMs: 1, idleInTransactionTimeoutMs: 2_147_483_647 },
        tenantInApplicationName: true,
        connectAttempts: 1,
        connectRetryDelayMs: 0,
        adminUrl: 'postgres://owner@localhost/app',
      },
      entities: { Order: class Order {} },
      migrations: [],
      subscribers: [],
      resolvers: [resolver],
      fallbackTenant: 'acme',
      trustedProxies: ['loopback', '10.0.0.0/8', '2001:db8::1'],
      roles: true,
      sharedSchemas: ['extensions', 'Weird "name"'],
      sharedMigrations: {},
      templateSchema: 'Шаблон',
      templateData: ['currencies'],
      hooks: { onProvision: [() => undefined], onTransition: [() => undefined] },
      servers: { eu: { url: 'postgres://eu', adminUrl: 'postgres://owner@eu', poolSize: 3, open: false } },
      placement: { default: { server: 'eu', isolation: 'schema' }, of: () => undefined },
      moves: { waitMs: 0, drainMs: 0, catchUpMs: 0, keepMs: 0 },
      spares: { count: 1000, databases: 0, refillConcurrency: 2 },
      sweeper: { intervalMs: 0, purgeAfterMs: 0, orphanAfterMs: 0 },
      migrateTemplate: false,
      registry: { schema: 'registry', migrate: false },
      store: OwnStore,
      reservedSlugs: [],
      wildcardDomains: true,
      vary: false,
      cache: { maxEntries: 1, ttlMs: 0, staleIfErrorMs: 1 },
      typeorm: { logging: ['error'], parseInt8: true },
    };
    expect(resolveOptions(options, {})).toEqual({
      ...options,
      database: { ...options.database, url: undefined },
    });
  });

  it.each<[string, unknown, string]>([
    ['a server without a URL', { eu: {} }, 'servers.eu.url is missing: give a postgres:// URL'],
    [
      'one that is none',
      { eu: 'postgres://secret:pw@x' },
      'servers.eu is a text: give { url, adminUrl, directUrl, databaseTemplate, poolSize, replicas, open }',
    ],
    [
      'a misspelled option',
      { eu: { url: 'postgres://eu', poolsize: 1 } },
      'servers.eu.poolsize is no option: did you mean poolSize? If not, leave it out, or say one of url adminUrl directUrl databaseTemplate poolSize replicas open',
    ],
    [
      'one that is called default',
      { default: { url: 'postgres://eu' } },
      'servers.default must not be set: it is the server that database names',
    ],
    [
      'a name that is none',
      { 'E U': { url: 'postgres://eu' } },
      "servers has 'E U': a name of a server is 1 to 63 characters of a-z, 0-9, _ and -, beginning with a letter",
    ],
    [
      'the URL of the registry',
      { eu: { url: URL } },
      'servers.eu.url is the same as database.url: name each server once',
    ],
    [
      'one URL twice',
      { eu: { url: 'postgres://eu' }, us: { url: 'postgres://eu' } },
      'servers.us.url is the same as servers.eu.url: name each server once',
    ],
    [
      'replicas that are no URLs, and shows no password',
      { eu: { url: 'postgres://eu', replicas: ['postgres://u:hush@eu2', 'eu3'] } },
      "servers.eu.replicas is ['postgres://…@eu2', no URL (3 characters, not shown: there may be a password)]: give a list of postgres:// URLs, each of a replica of that server",
    ],
    [
      'an owner without roles',
      { eu: { url: 'postgres://eu', adminUrl: 'postgres://a@eu' } },
      "servers.eu.adminUrl is 'postgres://…@eu', but nothing uses it without roles: set roles: true, or leave it out",
    ],
  ])('refuse %s', (_what, servers, problem) => {
    expect(problemsOf({ servers })).toEqual([problem]);
  });

  it('refuse a place for new tenants on a server that is not named', () => {
    const placement = { default: { server: 'eu', isolation: 'schema' as const } };
    expect(problemsOf({ placement })).toEqual([
      "placement.default.server is 'eu', which servers does not name: name one of them, or 'default'",
    ]);
    expect(problemsOf({ placement, servers: { us: { url: 'postgres://us' } } })).toHaveLength(1);
    expect(problemsOf({ placement, servers: { eu: { url: 'postgres://eu' } } })).toEqual([]);
  });

  it('of servers ask for an owner with roles', () => {
    const servers = { eu: { url: 'postgres://eu' } };
    const database = { url: URL, adminUrl: 'postgres://owner@home' };
    expect(problemsOf({ servers, database, roles: true })).toEqual([
      'servers.eu.adminUrl is missing: with roles requests own nothing, so give a URL whose role does',
    ]);
  });

  it('that are bad are all named at once', () => {
    const found = problems(
      {
        database: { url: 'mysql://db', poolSize: 0 },
        resolvers: [],
        cache: { ttlMs: -1 },
        typeorm: { schema: 'a' },
      },
      { TENANCY_MIGRATE_TEMPLATE: 'yes', NODE_PG_FORCE_NATIVE: '1' },
    );
    expect(found.map((line) => line.split(' ')[0])).toEqual([
      'TENANCY_MIGRATE_TEMPLATE',
      'database.url',
      'database.poolSize',
      'entities',
      'resolvers',
      'cache.ttlMs',
      'typeorm.schema',
      'NODE_PG_FORCE_NATIVE',
    ]);
  });

  it.each([
    ['no options', undefined, 'options is missing: give an object'],
    ['null', null, 'options is null: give an object'],
    ['text', URL, 'options is a text: give an object'],
    ['a list', [], 'options is []: give an object'],
    ['null as database', { ...GOOD, database: null }, 'database is null: give an object, or leave it out'],
    ['a URL as database', { ...GOOD, database: URL }, 'database is a text: give an object, or leave it out'],
    ['a list as registry', { ...GOOD, registry: [] }, 'registry is []: give an object, or leave it out'],
    ['a number as cache', { ...GOOD, cache: 5 }, 'cache is 5: give an object, or leave it out'],
    ['true as typeorm', { ...GOOD, typeorm: true }, 'typeorm is true: give an object, or leave it out'],
  ])('cannot be %s', (_case, options, problem) => {
    expect(problems(options)).toEqual([problem]);
  });

  it.each<[string, Record<string, unknown>]>([
    ['sharedSchema', { sharedSchema: ['extensions'] }],
    ['database.poolsize', { database: { url: URL, poolsize: 5 } }],
    ['registry.name', { registry: { name: 'tenancy' } }],
    ['hooks.afterProvision', { hooks: { afterProvision: [] } }],
    ['spares.size', { spares: { size: 5 } }],
    ['sweeper.every', { sweeper: { every: 1 } }],
    ['cache.ttl', { cache: { ttl: 5 } }],
    ['constructor', { constructor: 'acme' }],
  ])('refuse %s, which is none of them', (name, options) => {
    expect(problemsOf(options)).toEqual([
      expect.stringMatching(new RegExp(`^${name} is no option: .* or say`)),
    ]);
  });

  it('may be undefined under any name', () => {
    expect(problemsOf({ sharedSchema: undefined })).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      'no entities',
      { entities: undefined },
      'entities is missing: list the entities of your tenants, [] if there are none',
    ],
    ['text as entities', { entities: 'dist/**' }, "entities is 'dist/**': list"],
    ['text as migrations', { migrations: 'dist/**' }, "migrations is 'dist/**': give a list"],
    ['a number as subscribers', { subscribers: 1 }, 'subscribers is 1: give a list'],
    ['no resolvers', { resolvers: undefined }, 'resolvers is missing: give at least one resolver'],
    [
      'an empty list of resolvers',
      { resolvers: [] },
      "resolvers is []: give at least one resolver, such as fromHeader('x-tenant-id')",
    ],
    [
      'a resolver that is none',
      { resolvers: [resolver, 'x-tenant-id'] },
      "resolvers is [ [Function: resolver], 'x-tenant-id' ]: give",
    ],
    ['a bare resolver', { resolvers: resolver }, 'resolvers is [Function: resolver]: give'],
    [
      'a fallback that is no slug',
      { fallbackTenant: 'Acme Inc' },
      "fallbackTenant is 'Acme Inc': give the slug of a tenant",
    ],
    ['an empty fallback', { fallbackTenant: '' }, "fallbackTenant is '': give"],
    [
      'a fallback that is a tenant',
      { fallbackTenant: { slug: 'acme' } },
      "fallbackTenant is { slug: 'acme' }: give",
    ],
    [
      'text as trusted proxies',
      { trustedProxies: 'loopback' },
      "trustedProxies is 'loopback': list IP addresses, CIDR ranges, 'loopback', 'linklocal' or 'uniquelocal'",
    ],
    ['true as trusted proxies', { trustedProxies: true }, 'trustedProxies is true: list IP addresses'],
    [
      'a proxy that is a host name',
      { trustedProxies: ['loopback', 'nginx'] },
      "trustedProxies is [ 'loopback', 'nginx' ]: list IP addresses",
    ],
    ['a proxy that is empty', { trustedProxies: [''] }, "trustedProxies is [ '' ]: list"],
    ['a range of no size', { trustedProxies: ['10.0.0.0/0'] }, "trustedProxies is [ '10.0.0.0/0' ]: list"],
    [
      'a range that is too long',
      { trustedProxies: ['10.0.0.0/33'] },
      "trustedProxies is [ '10.0.0.0/33' ]: list",
    ],
    ['a hop count', { trustedProxies: [1] }, 'trustedProxies is [ 1 ]: list'],
    [
      'a pipeline in which each statement stands alone',
      { database: { url: URL, extra: { pipeline: true } } },
      'database.extra.pipeline must not be set: each statement would be one by itself',
    ],
    [
      'text instead of true for wildcards',
      { wildcardDomains: 'yes' },
      "wildcardDomains is 'yes': give true or false",
    ],
    ['text instead of false for Vary', { vary: 'no' }, "vary is 'no': give true or false"],
    ['an empty template', { templateSchema: '' }, "templateSchema is '': it must be 1 to 63 bytes"],
    [
      'a template of 64 bytes',
      { templateSchema: 'ü'.repeat(32) },
      `templateSchema is '${'ü'.repeat(32)}': it must be 1 to 63 bytes`,
    ],
    ['a template with NUL', { templateSchema: 'a\0' }, "templateSchema is 'a\\x00': it must be"],
    [
      'a template that PostgreSQL keeps for itself',
      { templateSchema: 'pg_template' },
      "templateSchema is 'pg_template': it must",
    ],
    ['a template with a dot', { templateSchema: 'a.b' }, "templateSchema is 'a.b': it must"],
    ['a template that is a list', { templateSchema: ['a'] }, "templateSchema is [ 'a' ]: it must"],
    ['quotes in the registry', { registry: { schema: 'a"b' } }, `registry.schema is 'a"b': it must`],
    [
      'upper case in the registry',
      { registry: { schema: 'Tenancy' } },
      "registry.schema is 'Tenancy': it must",
    ],
    ['a number as registry schema', { registry: { schema: 5 } }, 'registry.schema is 5: it must'],
    [
      'registry and template in one',
      { registry: { schema: 'template' } },
      "registry.schema is 'template', and templateSchema is the same: give them different names",
    ],
    ['text instead of true', { migrateTemplate: 'false' }, "migrateTemplate is 'false': give true or false"],
    ['a number instead of true', { registry: { migrate: 0 } }, 'registry.migrate is 0: give true or false'],
    [
      'text as shared schemas',
      { sharedSchemas: 'extensions' },
      "sharedSchemas is 'extensions': give a list of names",
    ],
    [
      'an empty shared schema',
      { sharedSchemas: ['a', ''] },
      "sharedSchemas is [ 'a', '' ]: give a list of names; each must be 1 to 63 bytes",
    ],
    ['pg_temp as shared schema', { sharedSchemas: ['pg_temp'] }, "sharedSchemas is [ 'pg_temp' ]: give"],
    [
      'the template as shared schema',
      { sharedSchemas: ['template'] },
      "sharedSchemas contains the template, 'template', so tenants would see its tables",
    ],
    [
      'the registry as shared schema',
      { sharedSchemas: ['tenancy'] },
      "sharedSchemas contains the registry, 'tenancy', so tenants would see each other",
    ],
    ['text as reserved slugs', { reservedSlugs: 'www' }, "reservedSlugs is 'www': give a list of words"],
    [
      'a store that is none',
      { store: {} },
      'store is something else: give a TenantStore, or a class that is one',
    ],
    ['null as store', { store: null }, 'store is null: give'],
    [
      'no entries in the cache',
      { cache: { maxEntries: 0 } },
      'cache.maxEntries is 0: give an integer from 1 to 1000000',
    ],
    [
      'a cache for everything',
      { cache: { maxEntries: Infinity } },
      'cache.maxEntries is Infinity: give an integer from 1 to 1000000',
    ],
    ['a text as roles', { roles: 'yes' }, "roles is 'yes': give true or false"],
    [
      'roles without an owner',
      { roles: true },
      'database.adminUrl is missing: with roles requests own nothing',
    ],
    ['a negative ttl', { cache: { ttlMs: -1 } }, 'cache.ttlMs is -1: give milliseconds, an integer from 0'],
    [
      'a text as staleIfErrorMs',
      { cache: { staleIfErrorMs: '1 s' as unknown as number } },
      "cache.staleIfErrorMs is '1 s': give milliseconds, an integer from 0",
    ],
    ['NaN as ttl', { cache: { ttlMs: NaN } }, 'cache.ttlMs is NaN: give'],
  ])('refuse %s', (_case, options, problem) => {
    const found = problemsOf(options);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(problem);
  });

  it.each<[string, unknown, string]>([
    ['poolSize', 0, 'is 0: give an integer from 1'],
    ['poolSize', -1, 'is -1: give'],
    ['poolSize', 1.5, 'is 1.5: give'],
    ['poolSize', '10', "is '10': give"],
    ['poolSize', NaN, 'is NaN: give'],
    ['poolSize', Infinity, 'is Infinity: give'],
    ['port', '5432', "is '5432': give an integer from 1 to 65535"],
    ['port', 65_536, 'is 65536: give'],
    ['answerTimeoutMs', 0, 'is 0: give milliseconds, an integer from 1 to 2147483647'],
    ['connectTimeoutMs', 0, 'is 0: give milliseconds, an integer from 1 to 2147483647'],
    ['connectTimeoutMs', 2 ** 31, 'is 2147483648: give milliseconds'],
    ['maxConnectionsPerTenant', 0, 'is 0: give an integer from 1'],
    ['maxConnectionsPerTenant', '5', "is '5': give an integer from 1"],
    ['maxWaitingPerTenant', -1, 'is -1: give an integer from 0'],
    ['maxTenantsPerConnection', 0.5, 'is 0.5: give an integer from 0'],
    ['leaseWarningMs', Infinity, 'is Infinity: give milliseconds, an integer from 0 to 2147483647'],
    ['timeouts', 5_000, 'is 5000: give an object with statementTimeoutMs, lockTimeoutMs, '],
    ['timeouts', null, 'is null: give an object'],
    ['tenantInApplicationName', 'yes', "is 'yes': give true or false"],
    ['connectAttempts', 0, 'is 0: give an integer from 1'],
    ['connectRetryDelayMs', -5, 'is -5: give milliseconds, an integer from 0 to 2147483647'],
    ['connectRetryDelayMs', 2 ** 31, 'is 2147483648: give milliseconds'],
  ])('refuse database.%s: %p', (name, value, problem) => {
    const found = problems({ ...GOOD, database: { url: URL, [name]: value } });
    expect(found).toEqual([expect.stringContaining(`database.${name} ${problem}`)]);
  });

  it.each<[string, unknown, string]>([
    ['statementTimeoutMs', -1, 'is -1: give milliseconds, an integer from 0 to 2147483647'],
    ['lockTimeoutMs', '5s', "is '5s': give milliseconds"],
    ['idleInTransactionTimeoutMs', 2 ** 31, 'is 2147483648: give milliseconds'],
    [
      'statementTimeout',
      5_000,
      'is no option: did you mean statementTimeoutMs? If not, leave it out, or say one of statementTimeoutMs lockTimeoutMs ',
    ],
  ])('refuse database.timeouts.%s: %p', (name, value, problem) => {
    const found = problems({ ...GOOD, database: { url: URL, timeouts: { [name]: value } } });
    expect(found).toEqual([expect.stringContaining(`database.timeouts.${name} ${problem}`)]);
  });

  it.each<[string, unknown, string]>([
    ['missing', undefined, 'is missing'],
    ['empty', '', 'is no URL (0 characters'],
    ['not a URL', 'localhost', 'is no URL (9 characters'],
    [
      'of another database',
      'mysql://app:secret@db.example.com/shop?password=secret',
      "is 'mysql://…@db.example.com/shop'",
    ],
    ['without its scheme', 'app:secret@db.example.com/shop', "is a URL of the kind 'app:'"],
    ['with an unescaped password', 'postgres://app:se/cr@et:secret@db:port/shop', 'is no URL (43 characters'],
    [
      'with a password that ends the host',
      'postgres://app:se@cr#et/secret@db/shop',
      'is a URL with /, ? or # in its',
    ],
    ['with a password of a number', 'postgres://app:5432/secret@db/shop', 'is a URL with /, ? or # in its'],
    ['with a bare % in its password', 'postgres://app:50%secret@db/shop', 'is a URL with a % in its user or'],
    ['with a bare % in its user', 'postgres://50%of:secret@db/shop', 'is a URL with a % in its user or'],
    ['a key-value list', 'host=db password=secret', 'is no URL (23 characters'],
    ['a number', 5432, 'is of type number'],
    ['null in the code', null, 'is missing'],
    ['10 kB', `mysql://${'x'.repeat(10_000)}`, 'is'],
  ])('refuse a database.url that is %s, and show no secret', (_case, url, problem) => {
    const [found, ...others] = problems({ ...GOOD, database: { url } });
    expect(others).toEqual([]);
    expect(found).toContain(`database.url ${problem}`);
    expect(found).toContain(
      'give a postgres:// URL, or database.host, or set TENANCY_DATABASE_URL or DATABASE_URL',
    );
    expect(found).not.toContain('secret');
    expect(found.length).toBeLessThan(300);
  });

  it('show no secret of a database that is given by its parts', () => {
    const database = { host: '', username: 'app', password: 'secret', ssl: { key: 'secret' }, poolSize: 0 };
    expect(problems({ ...GOOD, database }).join('\n')).not.toContain('secret');
  });

  it.each([
    ['schema', 'public', 'all tenants would share one'],
    ['synchronize', true, 'write a migration'],
    ['migrationsRun', true, 'migrateTemplate'],
    ['dropSchema', true, 'would drop'],
    ['cache', true, 'one would get the rows of another'],
    ['cache', { type: 'redis' }, 'one would get the rows of another'],
    ['driver', {}, 'is how tenants get their connections'],
    ['type', 'mysql', 'is always postgres'],
    ['name', 'main', 'TENANT_DATA_SOURCE'],
    ['nativeDriver', {}, 'cannot carry a tenant'],
    ['installExtensions', true, 'CREATE EXTENSION'],
    ['uuidExtension', 'uuid-ossp', 'gen_random_uuid()'],
    ['url', URL, 'is database.url here'],
    ['password', 'secret', 'is database.password here'],
    ['extra', {}, 'is database.extra here'],
    ['poolSize', 5, 'is database.poolSize here'],
    ['connectTimeoutMS', 5, 'is database.connectTimeoutMs here'],
    ['entities', [], 'is an option of its own: entities'],
    ['migrations', [], 'is an option of its own: migrations'],
    ['subscribers', [], 'is an option of its own: subscribers'],
    ['migrationsTableName', 'migrations', 'would name a table that nothing reads'],
    ['metadataTableName', 'meta', 'is always typeorm_metadata'],
  ])('refuse typeorm.%s with the reason', (name, value, why) => {
    const [found, ...others] = problemsOf({ typeorm: { [name]: value } });
    expect(others).toEqual([]);
    expect(found).toMatch(new RegExp(`^typeorm\\.${name} must not be set: it `));
    expect(found).toContain(why);
    expect(found).not.toContain('secret');
  });

  it('refuse what TypeORM has and is not known to leave tenants apart', () => {
    expect(problemsOf({ typeorm: { shcema: 'a', sharding: 4 } })).toEqual([
      expect.stringMatching(/^typeorm\.shcema is no option: leave it out, or say one of logging logger /),
      expect.stringMatching(/^typeorm\.sharding is no option: /),
    ]);
    expect(problemsOf({ typeorm: { extensions: ['citext'] } })).toEqual([
      expect.stringMatching(/^typeorm\.extensions must not be set: .*CREATE EXTENSION/),
    ]);
  });

  it('do not pass on what is refused, even where it asks for nothing', () => {
    const typeorm = { synchronize: false, parseInt8: true } as TenancyOptions['typeorm'];
    expect(resolveOptions({ ...GOOD, typeorm }, {}).typeorm).toEqual({ parseInt8: true });
  });

  it.each<[string, Record<string, unknown>]>([
    ['a store', { store: { password: URL } }],
    ['a store that is its URL', { store: URL }],
    ['a list of databases', { database: [URL] }],
    ['a slug', { fallbackTenant: URL }],
    ['entities', { entities: URL }],
    ['a list', { sharedSchemas: [URL] }],
    ['a number', { database: { url: URL, poolSize: URL } }],
    ['a switch', { roles: { of: URL } }],
    ['a password', { database: { url: URL, password: ['secret'] } }],
    ['an unknown name', { databas: URL }],
    ['TLS', { database: { url: URL, ssl: 'secret' } }],
  ])('show no password that stands in the place of %s', (_case, options) => {
    const found = problemsOf(options);
    expect(found).toHaveLength(1);
    expect(found.join()).not.toContain('secret');
  });

  it('take one transaction for each migration, and none for all of them', () => {
    expect(problemsOf({ typeorm: { migrationsTransactionMode: 'each' } })).toEqual([]);
    for (const mode of ['all', 'none'] as const) {
      expect(problemsOf({ typeorm: { migrationsTransactionMode: mode } })).toEqual([
        expect.stringMatching(
          new RegExp(`^typeorm\\.migrationsTransactionMode is "?'?${mode}.*transaction of its own`),
        ),
      ]);
    }
  });
});

describe('the environment', () => {
  const FULL = {
    TENANCY_DATABASE_URL: 'postgres://tenancy',
    DATABASE_URL: 'postgres://fallback',
    TENANCY_POOL_SIZE: '7',
    TENANCY_CONNECT_TIMEOUT_MS: '700',
    TENANCY_ANSWER_TIMEOUT_MS: '60000',
    TENANCY_MAX_CONNECTIONS_PER_TENANT: '3',
    TENANCY_MAX_WAITING_PER_TENANT: '20',
    TENANCY_MAX_TENANTS_PER_CONNECTION: '0',
    TENANCY_LEASE_WARNING_MS: '0',
    TENANCY_STATEMENT_TIMEOUT_MS: '5000',
    TENANCY_LOCK_TIMEOUT_MS: '1000',
    TENANCY_IDLE_IN_TRANSACTION_TIMEOUT_MS: '10000',
    TENANCY_TENANT_IN_APPLICATION_NAME: 'true',
    TENANCY_CONNECT_ATTEMPTS: '3',
    TENANCY_CONNECT_RETRY_DELAY_MS: '0',
    TENANCY_FALLBACK_TENANT: 'acme',
    TENANCY_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8',
    TENANCY_VARY: 'false',
    TENANCY_SHARED_SCHEMAS: ' extensions, lookup ,,',
    TENANCY_TEMPLATE_SCHEMA: 'model',
    TENANCY_TEMPLATE_DATA: 'currencies, countries',
    TENANCY_SPARES_COUNT: '5',
    TENANCY_SPARES_REFILL_CONCURRENCY: '2',
    TENANCY_SWEEPER_INTERVAL_MS: '1000',
    TENANCY_SWEEPER_PURGE_AFTER_MS: '2592000000',
    TENANCY_SWEEPER_ORPHAN_AFTER_MS: '0',
    TENANCY_MIGRATE_TEMPLATE: 'false',
    TENANCY_REGISTRY_SCHEMA: 'registry',
    TENANCY_REGISTRY_MIGRATE: 'false',
    TENANCY_RESERVED_SLUGS: 'help,status',
    TENANCY_WILDCARD_DOMAINS: 'true',
    TENANCY_DIRECT_URL: 'postgres://direct',
    TENANCY_CACHE_TTL_MS: '0',
    TENANCY_CACHE_MAX_ENTRIES: '500',
    TENANCY_CACHE_STALE_IF_ERROR_MS: '1000',
    TENANCY_ROLES: 'true',
    TENANCY_ADMIN_URL: 'postgres://owner',
    TENANCY_MOVES_WAIT_MS: '1',
    TENANCY_MOVES_DRAIN_MS: '2',
    TENANCY_MOVES_CATCH_UP_MS: '4',
    TENANCY_MOVES_KEEP_MS: '3',
  };
  const silent: TenancyOptions = { entities: [], resolvers: [resolver] };

  it('speaks where the code is silent', () => {
    expect(resolveOptions(silent, FULL)).toEqual({
      ...silent,
      database: {
        url: 'postgres://tenancy',
        directUrl: 'postgres://direct',
        poolSize: 7,
        connectTimeoutMs: 700,
        answerTimeoutMs: 60_000,
        maxConnectionsPerTenant: 3,
        maxConnectionsPerDatabase: 2,
        maxWaitingPerTenant: 20,
        maxTenantsPerConnection: 0,
        leaseWarningMs: 0,
        timeouts: { statementTimeoutMs: 5_000, lockTimeoutMs: 1_000, idleInTransactionTimeoutMs: 10_000 },
        tenantInApplicationName: true,
        connectAttempts: 3,
        connectRetryDelayMs: 0,
        adminUrl: 'postgres://owner',
      },
      roles: true,
      fallbackTenant: 'acme',
      trustedProxies: ['loopback', '10.0.0.0/8'],
      sharedSchemas: ['extensions', 'lookup'],
      sharedMigrations: {},
      templateSchema: 'model',
      templateData: ['currencies', 'countries'],
      hooks: { onProvision: [], onTransition: [] },
      servers: {},
      placement: { default: { server: 'default', isolation: 'schema' } },
      moves: { waitMs: 1, drainMs: 2, catchUpMs: 4, keepMs: 3 },
      spares: { count: 5, databases: 0, refillConcurrency: 2 },
      sweeper: { intervalMs: 1000, purgeAfterMs: 2_592_000_000, orphanAfterMs: 0 },
      migrateTemplate: false,
      registry: { schema: 'registry', migrate: false },
      reservedSlugs: ['help', 'status'],
      wildcardDomains: true,
      vary: false,
      cache: { ttlMs: 0, maxEntries: 500, staleIfErrorMs: 1000 },
    });
  });

  it('is overruled by the code, option by option', () => {
    const given: TenancyOptions = {
      ...silent,
      database: { url: URL, poolSize: 1 },
      migrateTemplate: true,
      registry: { migrate: true },
      sharedSchemas: [],
      sharedMigrations: {},
      reservedSlugs: [],
      cache: { ttlMs: 5 },
    };
    expect(resolveOptions(given, FULL)).toMatchObject({
      database: { url: URL, poolSize: 1, connectAttempts: 3 },
      migrateTemplate: true,
      registry: { schema: 'registry', migrate: true },
      sharedSchemas: [],
      sharedMigrations: {},
      reservedSlugs: [],
      cache: { ttlMs: 5, maxEntries: 500 },
    });
  });

  it('completes what the code says of timeouts, a function too', () => {
    const timeoutsOf = (timeouts: TenantTimeoutsOption) =>
      resolveOptions({ ...silent, database: { timeouts } }, FULL).database.timeouts;
    const completed = { statementTimeoutMs: 1, lockTimeoutMs: 1_000, idleInTransactionTimeoutMs: 10_000 };
    expect(timeoutsOf({ statementTimeoutMs: 1 })).toEqual(completed);
    const byTenant = timeoutsOf(() => ({ statementTimeoutMs: 1 })) as (tenant: unknown) => TenantTimeouts;
    expect(byTenant({})).toEqual(completed);
  });

  it('gives no URL when the code names a host', () => {
    const { database } = resolveOptions({ ...silent, database: { host: 'db' } }, FULL);
    expect(database).toMatchObject({ host: 'db', url: undefined });
  });

  it('may name the database as DATABASE_URL', () => {
    const environment = { TENANCY_DATABASE_URL: '', DATABASE_URL: URL };
    expect(resolveOptions(silent, environment).database.url).toBe(URL);
  });

  it('that is empty says nothing', () => {
    const empty = Object.fromEntries(Object.keys(FULL).map((name) => [name, '']));
    expect(resolveOptions(GOOD, { ...empty, NODE_PG_FORCE_NATIVE: '' })).toEqual(resolveOptions(GOOD, {}));
    expect(problems(silent, empty)).toEqual([expect.stringContaining('database.url is missing')]);
  });

  it.each([
    ['TENANCY_POOL_SIZE', 'ten', "is 'ten': give an integer"],
    ['TENANCY_POOL_SIZE', '-1', "is '-1': give an integer"],
    ['TENANCY_POOL_SIZE', '1e3', "is '1e3': give an integer"],
    ['TENANCY_POOL_SIZE', '9'.repeat(400), '... 300 more characters: give an integer'],
    ['TENANCY_CONNECT_TIMEOUT_MS', '10s', "is '10s': give an integer"],
    ['TENANCY_MIGRATE_TEMPLATE', '1', "is '1': give true or false"],
    ['TENANCY_REGISTRY_MIGRATE', 'TRUE', "is 'TRUE': give true or false"],
    ['TENANCY_ROLES', 'yes', "is 'yes': give true or false"],
    ['TENANCY_WILDCARD_DOMAINS', '1', "is '1': give true or false"],
    ['TENANCY_VARY', 'no', "is 'no': give true or false"],
    ['TENANCY_TENANT_IN_APPLICATION_NAME', '1', "is '1': give true or false"],
  ])('with a bad %s: %p is named', (name, value, problem) => {
    expect(problems(GOOD, { [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name} is `))]);
    expect(problems(GOOD, { [name]: value })[0]).toContain(problem);
  });

  it.each([
    ['TENANCY_POOL_SIZE', '0', 'database.poolSize is 0'],
    ['TENANCY_TRUSTED_PROXIES', 'nginx', "trustedProxies is [ 'nginx' ]"],
    ['TENANCY_FALLBACK_TENANT', 'Not a slug', "fallbackTenant is 'Not a slug'"],
    ['TENANCY_TEMPLATE_SCHEMA', 'pg_catalog', "templateSchema is 'pg_catalog'"],
    ['TENANCY_REGISTRY_SCHEMA', 'template', "registry.schema is 'template'"],
    ['TENANCY_SHARED_SCHEMAS', 'a,template', 'sharedSchemas contains the template'],
    ['TENANCY_DIRECT_URL', 'mysql://a', 'database.directUrl is '],
    ['TENANCY_CACHE_MAX_ENTRIES', '0', 'cache.maxEntries is 0'],
    ['TENANCY_ROLES', 'true', 'database.adminUrl is missing'],
    [
      'TENANCY_ADMIN_URL',
      'mysql://u:secret@db/shop',
      "database.adminUrl is 'mysql://…@db/shop': give a postgres:// URL",
    ],
    [
      'TENANCY_ADMIN_URL',
      'postgres://owner:secret@db/shop',
      "database.adminUrl is 'postgres://…@db/shop', but nothing",
    ],
    ['NODE_PG_FORCE_NATIVE', '1', 'NODE_PG_FORCE_NATIVE is set, but'],
  ])('is checked as the code is: %s=%s', (name, value, problem) => {
    expect(problems(GOOD, { [name]: value })).toEqual([expect.stringContaining(problem)]);
  });
});
