import { quoteIdentifier } from '../../lib/common/sql';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startToFail } from '../support/failing-start/start';
import { startSilentServer } from '../support/silent-server';

/** What Nest logs before it ends the process. */
const logged = (name: string, code: string, first: string, ...lines: string[]) =>
  told('ERROR \\[ExceptionHandler\\]', name, code, first, lines);

/** What `main.ts` logs of what failed in `listen()`. */
const thrown = (name: string, code: string, first: string, ...lines: string[]) =>
  told('FATAL \\[Start\\]', name, code, first, lines);

const told = (by: string, name: string, code: string, first: string, lines: readonly string[]) => [
  expect.stringMatching(new RegExp(`^${by} ${name} \\[${code}\\]: ${first}$`)),
  ...lines.map((line) => expect.stringMatching(new RegExp(`^${line}$`))),
];

/** All that is logged when nobody is there, at the address that `variable` names. */
const threeAttempts = (variable: string) => {
  const nobody = 'PostgreSQL does not answer at 127.0.0.1:1 (ECONNREFUSED)';
  return [
    `WARN [Tenancy] ${nobody}, attempt 1 of 3. Trying again every 0.1 s`,
    `WARN [Tenancy] ${nobody}, attempt 2 of 3`,
    'ERROR [ExceptionHandler] DatabaseUnreachableError [TENANCY_UNAVAILABLE]: ' +
      `${nobody}, attempt 3 of 3. Start it there, or correct ${variable}.`,
  ];
};

const BAD_OPTIONS = ['InvalidTenancyOptionsError', 'TENANCY_OPTIONS_INVALID'] as const;

const FAILURES: readonly (readonly [fault: string, lines: readonly unknown[]])[] = [
  [
    'no url',
    logged(...BAD_OPTIONS, 'TenancyModule cannot start:', '- database.url is missing: .* DATABASE_URL'),
  ],
  [
    'bad options',
    logged(
      ...BAD_OPTIONS,
      'TenancyModule cannot start:',
      '- resolvers is \\[\\]: give .*',
      "- templateData is 'note': give .*",
    ),
  ],
  [
    'bad options of a module beside it',
    logged(
      'InvalidThrottlingOptionsError',
      'THROTTLING_OPTIONS_INVALID',
      'TenancyThrottlingModule cannot start:',
      "- defaultPlan is 'free': name one of plans.*",
    ),
  ],
  [
    'no master key',
    logged('MasterKeyMissingError', 'MASTER_KEY_MISSING', '.*Make a key with: openssl rand -hex 32'),
  ],
  [
    'an entity with a schema',
    logged('EntityNamesSchemaError', 'ENTITY_NAMES_SCHEMA', 'Entities .*:', '- Placed: .*', 'Leave .*'),
  ],
  [
    'an entity without a key',
    logged('StartFailedError', 'START_FAILED', `The tenants' data source cannot start: Entity "Keyless" .*`),
  ],
  [
    'a registry that is behind',
    logged('RegistryNotMigratedError', 'REGISTRY_NOT_MIGRATED', '.*tenancy migrate up.*'),
  ],
  [
    'a template that is behind',
    thrown('TemplateBehindError', 'TEMPLATE_BEHIND', '.*migrateTemplate: true.*'),
  ],
  [
    'a shared schema that is not there',
    thrown('SharedSchemaMissingError', 'SHARED_SCHEMA_MISSING', '.*CREATE SCHEMA "reference".*'),
  ],
  [
    'a template that no tenant can be made of',
    thrown(
      'SchemaNotCloneableError',
      'SCHEMA_NOT_CLONEABLE',
      'The schema "template" cannot be cloned, because of:',
      '- type amount: .*',
    ),
  ],
  [
    'a migration that fails',
    thrown(
      'TemplateMigrationError',
      'TEMPLATE_MIGRATION_FAILED',
      'The migration Broken1700000000001 .* correct it and start again\\.',
      // Where in the application it failed.
      ' +at async Object\\.up \\(.*faults\\.ts:\\d+:\\d+\\)',
    ),
  ],
  [
    'roles of a superuser',
    thrown(
      'RolesNotSafeError',
      'ROLES_NOT_SAFE',
      'With roles: .*:',
      ...Array<string>(3).fill('- database\\..*'),
    ),
  ],
  [
    'a hook that is none',
    thrown('InvalidHookError', 'HOOK_INVALID', 'The provider NoHook has @OnProvision\\(\\).*'),
  ],
  [
    'a durable class with a tenant',
    thrown('DurableTenantError', 'DURABLE_TENANT', 'Durable classes inject CURRENT_TENANT, .*: Kept\\. .*'),
  ],
];

describe('A start that fails', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it.each(FAILURES)('says once what is wrong and what to do, and ends with 1: %s', async (fault, lines) => {
    const environment: Record<string, string> = fault === 'no url' ? {} : { DATABASE_URL: database.url };
    await database.query('DROP SCHEMA IF EXISTS template, tenancy CASCADE');
    await expect(startToFail(fault, environment)).resolves.toEqual({ exitCode: 1, lines });
  });

  it('tells each attempt to reach a PostgreSQL that is not there, once how they go on, and in the end what to do', async () => {
    const environment = { SHOP_DATABASE_URL: 'x', DATABASE_URL: 'postgres://app:secret@127.0.0.1:1/shop' };
    await expect(startToFail('unreachable', environment)).resolves.toEqual({
      exitCode: 1,
      lines: threeAttempts('DATABASE_URL'),
    });
  });

  it.each([
    ['a Unix socket', 'postgres://app:secret@%2Fnowhere:1/shop', '/nowhere/.s.PGSQL.1 (ENOENT)'],
    [
      'a host among the parameters',
      'postgres://app:secret@db/shop?host=127.0.0.1&port=1',
      '127.0.0.1:1 (ECONNREFUSED)',
    ],
  ])('names what it is that does not answer: %s', async (_what, url, said) => {
    const { exitCode, lines } = await startToFail('none', { DATABASE_URL: url });
    expect(exitCode).toBe(1);
    expect(lines).toEqual([
      expect.stringContaining(
        `PostgreSQL does not answer at ${said}. Start it there, or correct DATABASE_URL.`,
      ),
    ]);
  });

  it('asks nobody to start a PostgreSQL that has no connection left', async () => {
    const role = `late_${new URL(database.url).pathname.slice(1)}`;
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw' CONNECTION LIMIT 0`);
    try {
      const { lines } = await startToFail('none', {
        DATABASE_URL: changed({ username: role, password: 'pw' }),
      });
      expect(lines).toEqual([
        expect.stringMatching(/\(53300: .*\)\. End other connections, .* DATABASE_URL\.$/),
      ]);
    } finally {
      await database.query(`DROP ROLE ${role}`);
    }
  });

  const changed = (parts: Partial<Pick<URL, 'username' | 'password' | 'pathname'>>) =>
    Object.assign(new URL(database.url), parts).href;

  it.each<[string, () => string, RegExp]>([
    [
      'a wrong password',
      () => changed({ password: 'wrong-secret' }),
      /refuses the user "postgres" for the database "test_\w+": password .* \(28P01\)\. Correct the user or the password in DATABASE_URL\.$/,
    ],
    [
      'a user that is not there',
      () => changed({ username: 'nobody', password: 'wrong-secret' }),
      /refuses the user "nobody" for the database "test_\w+": .* in DATABASE_URL\.$/,
    ],
    [
      'a database that is not there',
      () => changed({ pathname: '/nowhere' }),
      /refuses the user "postgres" for the database "nowhere": .* \(3D000\)\. Make it \(CREATE DATABASE "nowhere"\), .* DATABASE_URL\.$/,
    ],
    [
      'a database whose name has a slash, which pg does not decode',
      () => changed({ pathname: '/no%2Fwhere' }),
      /database "no%2Fwhere" does not exist \(3D000\)\. Make it \(CREATE DATABASE "no%2Fwhere"\)/,
    ],
    [
      'an option that PostgreSQL does not know',
      () => `${database.url}?options=-c%20nonsense%3D1`,
      /unrecognized configuration parameter "nonsense" \(42704\)\. Correct what asks for it: the options of DATABASE_URL, of database\.extra, or PGOPTIONS\.$/,
    ],
  ])(
    'names host, user, database and the variable for %s, at once and without the password',
    async (_case, url, said) => {
      const { exitCode, lines } = await startToFail('none', { DATABASE_URL: url() });
      const { host } = new URL(database.url);
      expect(exitCode).toBe(1);
      expect(lines).toEqual([expect.stringMatching(said)]);
      expect(lines[0]).toContain(`DatabaseRefusedError [DATABASE_REFUSED]: PostgreSQL at ${host} `);
      expect(lines[0]).not.toContain('wrong-secret');
    },
  );

  describe('over a wrong way around the pooler', () => {
    const startBy = (directUrl: string) =>
      startToFail('none', { DATABASE_URL: database.url, TENANCY_DIRECT_URL: directUrl });

    it('names it when nobody is there, and tries as often as PostgreSQL itself', async () => {
      const environment = {
        DATABASE_URL: database.url,
        TENANCY_DIRECT_URL: 'postgres://app:secret@127.0.0.1:1/shop',
      };
      await expect(startToFail('unreachable', environment)).resolves.toEqual({
        exitCode: 1,
        lines: threeAttempts('TENANCY_DIRECT_URL'),
      });
    });

    it('names it when it is refused', async () => {
      const { lines } = await startBy(changed({ password: 'wrong-secret' }));
      expect(lines).toEqual([
        expect.stringMatching(/DATABASE_REFUSED.*\(28P01\)\. .*password in TENANCY_DIRECT_URL\.$/),
      ]);
    });

    it('names it when it lets us in and is silent then, and tries as often', async () => {
      const silent = await startSilentServer(database.url);
      try {
        const { exitCode, lines } = await startToFail('unreachable', {
          DATABASE_URL: database.url,
          TENANCY_DIRECT_URL: silent.url,
          TENANCY_CONNECT_TIMEOUT_MS: '500',
        });
        expect(exitCode).toBe(1);
        expect(lines).toHaveLength(3);
        const { host } = new URL(silent.url);
        for (const line of lines)
          expect(line).toContain(
            `PostgreSQL does not answer at ${host} (Connection terminated: PostgreSQL has been silent for 500 ms)`,
          );
        expect(lines[2]).toMatch(/TENANCY_UNAVAILABLE.*attempt 3 of 3\. .*correct TENANCY_DIRECT_URL\.$/);
      } finally {
        await silent.close();
      }
    });

    it('refuses another database, and writes nothing into either', async () => {
      const [other, first] = [await createTestDatabase(), await createTestDatabase()];
      const name = new URL(other.url).pathname.slice(1);
      try {
        const { exitCode, lines } = await startToFail('none', {
          DATABASE_URL: first.url,
          TENANCY_DIRECT_URL: other.url,
        });
        expect(exitCode).toBe(1);
        expect(lines).toEqual([
          expect.stringMatching(
            new RegExp(`DIRECT_URL_ELSEWHERE\\]: .*"${name}" at .*Correct TENANCY_DIRECT_URL: `),
          ),
        ]);
        const made = `SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|public$|information_schema$)'`;
        for (const each of [other, first]) await expect(each.query(made)).resolves.toEqual([]);
      } finally {
        await other.drop();
        await first.drop();
      }
    });
  });

  it('tells which right a role lacks', async () => {
    const role = `po"or_${new URL(database.url).pathname.slice(1)}`;
    await database.query('DROP SCHEMA IF EXISTS template, tenancy CASCADE');
    await database.query(`CREATE ROLE ${quoteIdentifier(role)} LOGIN PASSWORD 'pw'`);
    try {
      const start = startToFail('none', { DATABASE_URL: changed({ username: role, password: 'pw' }) });
      await expect(start).resolves.toEqual({
        exitCode: 1,
        lines: logged(
          'StartFailedError',
          'START_FAILED',
          `The registry cannot start: permission denied for database test_\\w+ \\(42501\\)\\. .*GRANT CREATE ON DATABASE "test_\\w+" TO ${quoteIdentifier(role)}.*`,
        ),
      });
    } finally {
      await database.query(`DROP ROLE ${quoteIdentifier(role)}`);
    }
  });
});
