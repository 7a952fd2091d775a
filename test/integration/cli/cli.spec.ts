import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';
import { cleanEnvironment } from '../../support/commands';
import { createRolesDatabase } from '../../support/two-roles';
import { type CliApp, SAMPLE, startCliApp } from './cli-app';

// Each command is a process that starts an application: a second on a quiet machine, ten on a busy one.
jest.setTimeout(900_000);

let cli: CliApp;

beforeAll(async () => {
  cli = await startCliApp();
});
afterAll(() => cli.close());

const said = (code: number, stderr: string | RegExp) =>
  expect.objectContaining({ code, stdout: '', stderr: expect.stringMatching(stderr) });

/** What `doctor --json` found that is wrong. */
const problemsOf = (stdout: string) =>
  (JSON.parse(stdout) as { findings: { severity: string }[] }).findings.filter(
    ({ severity }) => severity === 'problem',
  );

const NO_REGISTRY = /^error: The schema "tenancy" has no registry yet\. Run "tenancy migrate up".*\n$/;

describe('help', () => {
  it.each([
    [[]],
    [['tenant']],
    [['tenant', 'create']],
    [['migrate', 'up']],
    [['migrate', 'resolve']],
    [['drift']],
    [['exec']],
    [['export']],
    [['import']],
    [['tenant', 'clone']],
    [['events']],
    [['events', 'follow']],
    [['api-key']],
    [['api-key', 'create']],
    [['support']],
    [['support', 'enter']],
  ])('tenancy %j --help needs no application, and shows examples', async (command) => {
    const { code, stdout, stderr } = await cli.line.run([...command, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatchSnapshot();
  });
});

describe('before there is anything', () => {
  it('says that the registry is missing, and what makes it', async () => {
    expect(await cli.line.spawn(['tenant', 'list'], cli.environment)).toEqual(said(1, NO_REGISTRY));
    for (const command of [['migrate', 'plan'], ['migrate', 'status'], ['drift']])
      expect(await cli.run(...command)).toEqual(said(1, NO_REGISTRY));
    const { problems, findings } = await cli.json('doctor');
    expect(problems).toBeGreaterThanOrEqual(2);
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'registry',
        severity: 'problem',
        remedy: expect.stringContaining('tenancy migrate up'),
      }),
    );
  });

  it('and to look has made nothing', async () => {
    expect(
      await cli.database.query(`SELECT nspname FROM pg_namespace WHERE nspname IN ('tenancy', 'template')`),
    ).toEqual([]);
  });
});

describe('the life of a tenant', () => {
  it('runs from its creation to its purge', async () => {
    const made = await cli.json(
      'tenant',
      'create',
      'acme',
      '--name',
      'Acme Inc.',
      '--domain',
      'shop.acme.test',
      '--domain',
      'acme.test',
      '--metadata',
      '{"plan":"gold"}',
    );
    expect(made).toMatchObject({
      slug: 'acme',
      name: 'Acme Inc.',
      status: 'active',
      domains: ['acme.test', 'shop.acme.test'],
      metadata: { plan: 'gold' },
    });
    await cli.database.query(`INSERT INTO ${made.schemaName}.orders (description) VALUES ('tea'), ('milk')`);
    expect(await cli.json('tenant', 'show', made.id)).toEqual(made);
    expect(await cli.json('tenant', 'rename', 'acme', '--slug', 'acme-inc')).toMatchObject({
      id: made.id,
      slug: 'acme-inc',
    });
    expect(await cli.json('tenant', 'suspend', 'acme-inc', '--reason', 'unpaid')).toMatchObject({
      status: 'suspended',
      statusReason: 'unpaid',
    });
    expect(await cli.json('tenant', 'activate', 'acme-inc', '--actor', 'ops')).toMatchObject({
      status: 'active',
    });
    const mask = JSON.stringify({ orders: { description: "'masked'" } });
    const copy = await cli.json('tenant', 'clone', 'acme-inc', 'support', '--mask', mask);
    expect(await cli.database.query(`SELECT DISTINCT description FROM ${copy.schemaName}.orders`)).toEqual([
      { description: 'masked' },
    ]);
    cli.write('mask.json', mask);
    const another = await cli.json('tenant', 'clone', 'acme-inc', 'another', '--mask-file', 'mask.json');
    expect(await cli.database.query(`SELECT description FROM ${another.schemaName}.orders LIMIT 1`)).toEqual([
      { description: 'masked' },
    ]);
    for (const args of [
      ['--mask-file', 'none.json'],
      ['--mask-file', 'mask.json', '--mask', mask],
    ])
      expect(await cli.run('tenant', 'clone', 'acme-inc', 'x', ...args)).toEqual(said(2, /--mask-file/));
    await cli.run('tenant', 'delete', 'another', '--yes');
    await cli.run('tenant', 'purge', 'another', '--yes');
    expect(await cli.json('tenant', 'delete', 'acme-inc', '--yes')).toMatchObject({ status: 'deleted' });
    expect(await cli.json('tenant', 'restore', 'acme-inc')).toMatchObject({ status: 'active' });
    expect(await cli.run('tenant', 'purge', 'acme-inc', '--yes')).toEqual(
      said(3, /^error: Tenant "acme-inc" is active, and cannot be purged. Delete it first.\n$/),
    );
    await cli.run('tenant', 'delete', 'acme-inc', '--yes');
    expect(await cli.json('tenant', 'purge', 'acme-inc', '--yes', '--actor', 'ops')).toMatchObject({
      slug: 'acme-inc',
      rows: 2,
      purgedBy: 'ops',
    });
    const { data } = await cli.json('tenant', 'list');
    expect(data.map((each: { slug: string }) => each.slug)).toEqual(['support']);
    const events = await cli.database.query<{ type: string }>(
      'SELECT type, actor_type, actor_id FROM tenancy.tenant_event_outbox WHERE tenant_id = $1 ORDER BY n',
      [made.id],
    );
    expect(events.map(({ type }) => type.replace('tenant.', ''))).toEqual([
      ...['created', 'updated', 'suspended', 'activated', 'deleted', 'restored', 'deleted', 'purged'],
    ]);
    expect(events[0]).toMatchObject({ actor_type: 'cli' });
    expect(events[3]).toMatchObject({ actor_type: 'operator', actor_id: 'ops' });
  });

  it('adopts a schema that is there, and says how another one differs', async () => {
    await cli.database.query('CREATE SCHEMA legacy; CREATE TABLE legacy.orders (id integer)');
    expect(await cli.run('tenant', 'adopt', 'legacy', 'old')).toEqual(said(3, /differs from the template/));
    expect(await cli.json('tenant', 'adopt', 'legacy', 'old', '--force')).toMatchObject({
      slug: 'old',
      schemaName: 'legacy',
    });
  });

  it('lists page by page', async () => {
    const first = await cli.json('tenant', 'list', '--limit', '1');
    expect(first.data).toHaveLength(1);
    const second = await cli.json('tenant', 'list', '--limit', '1', '--after', first.after);
    expect(second.data[0].slug).toBe('old');
    expect(second.after).toBeNull();
    const { code, stdout } = await cli.run('tenant', 'list', '--search', 'sup');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^slug +status +schema +name\nsupport +active +t_\w+ +support\n$/),
    });
  });
});

describe('a migration that did not come to its end', () => {
  const MIGRATION = 'CreateOrders1700000000000';
  const leaveUnfinished = () =>
    cli.database.query(
      `UPDATE tenancy.tenant_migrations SET state = 'unfinished', error = 'connection lost'
       WHERE tenant_id = (SELECT id FROM tenancy.tenants WHERE slug = 'support')`,
    );

  it('waits until somebody has said what is there', async () => {
    await leaveUnfinished();
    expect((await cli.run('migrate', 'status')).stdout).toMatch(/unfinished: connection lost/);
    const resolve = (...args: string[]) => cli.json('migrate', 'resolve', MIGRATION, '--as', 'done', ...args);
    expect(await resolve('--tenant', 'old')).toEqual({ settled: 0 });
    expect(await resolve('--tenant', 'support')).toEqual({ settled: 1 });
    expect(await resolve()).toEqual({ settled: 0 });
    expect((await cli.json('migrate', 'status')).troubles).toEqual([]);
  });

  it.each([
    [[MIGRATION], 2, /--as done, or --as rerun/],
    [[MIGRATION, '--as', 'maybe'], 2, /--as must be done or rerun, got "maybe"/],
    [[], 2, /missing required argument/],
    [["no'such", '--as', 'done'], 3, /no'such/],
    [[MIGRATION, '--as', 'done', '--tenant', 'nobody'], 3, /tenant/i],
  ])('tenancy migrate resolve %j is refused', async (args, code, stderr) => {
    expect(await cli.run('migrate', 'resolve', ...args)).toEqual(said(code, stderr));
  });
});

describe('what destroys', () => {
  it('asks on a terminal, and does nothing without one and without --yes', async () => {
    expect(await cli.run('tenant', 'delete', 'support')).toEqual(said(6, /no terminal to ask. Add --yes/));
    expect(await cli.run('tenant', 'purge', 'support')).toEqual(said(6, /Add --yes/));
    expect(await cli.run('exec', '--all', '--write', 'DELETE FROM orders')).toEqual(said(6, /Add --yes/));
    expect(await onTerminal('n', 'tenant', 'delete', 'support')).toMatchObject({
      code: 6,
      stdout: expect.stringMatching(
        /refuse all requests of the tenant "support"[\s\S]*\[y\/N\][\s\S]*you did not say yes/,
      ),
    });
    expect((await onTerminal('\x03', 'tenant', 'delete', 'support')).code).toBe(6);
    expect(await cli.json('tenant', 'show', 'support')).toMatchObject({ status: 'active' });
    expect((await onTerminal('y', 'tenant', 'delete', 'support')).code).toBe(0);
    expect(await cli.json('tenant', 'restore', 'support')).toMatchObject({ status: 'active' });
  });

  /** util-linux gives the program a terminal, which nothing in Node does. */
  function onTerminal(answer: string, ...args: string[]): Promise<{ code: number; stdout: string }> {
    const command = [process.execPath, cli.line.program, ...args].join(' ');
    return new Promise((resolve) => {
      const options = { cwd: cli.line.directory, env: cleanEnvironment(cli.environment) };
      const child = execFile('script', ['-qec', command, '/dev/null'], options, (error, stdout) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout }),
      );
      child.stdout?.on('data', (text: string) => {
        if (text.includes('[y/N]')) child.stdin?.write(`${answer}\n`);
      });
    });
  }
});

describe('exec', () => {
  it('runs for one tenant or for all, several statements too, and reads unless it is told that it may write', async () => {
    expect(
      await cli.json('exec', '--tenant', 'support', 'SELECT 1 AS one; SELECT count(*)::int AS n FROM orders'),
    ).toEqual({
      tenants: [
        {
          tenant: 'support',
          results: [
            { command: 'SELECT', rowCount: 1, rows: [{ one: 1 }] },
            { command: 'SELECT', rowCount: 1, rows: [{ n: 2 }] },
          ],
        },
      ],
    });
    const insert = "INSERT INTO orders (description) VALUES ('x')";
    expect(await cli.run('exec', '--tenant', 'support', `COMMIT; ${insert}`)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('cannot be run in a read-only transaction: add --write') as string,
    });
    expect(await cli.run('exec', '--tenant', 'support', insert)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('--write'),
    });
    cli.write('fill.sql', insert);
    const { code, stdout } = await cli.run('exec', '--all', '--write', '--yes', '--file', 'fill.sql');
    // The adopted schema has other columns.
    expect({ code, stdout }).toEqual({
      code: 4,
      stdout: expect.stringMatching(/support: INSERT 1[\s\S]*old: error: column "description"/),
    });
  });

  it('takes SQL from stdin, and shows what cannot be shown as it is', async () => {
    const { stdout } = await cli.line.spawn(
      ['exec', '-t', 'support', '-f', '-'],
      cli.environment,
      `SELECT NULL AS a, e'\\x1b[31m' AS b, '{"k":1}'::jsonb AS c`,
    );
    expect(stdout).toBe('support: SELECT 1\na     b           c\nNULL  \\u001b[31m  {"k":1}\n');
  });

  it('prints rows of all tenants as CSV and as JSON lines, and tells on stderr where it could not', async () => {
    const sql = `SELECT 1 AS one, NULL AS nothing, '' AS empty, e'a"b,\n\\u009b' AS text`;
    const csv = await cli.run('exec', '--all', '--read-only', '--csv', '--concurrency', '2', sql);
    const [head, ...rows] = csv.stdout.split(/(?<=\u009b"|text)\n/);
    expect({ head, code: csv.code, stderr: csv.stderr }).toEqual({
      head: 'tenant,one,nothing,empty,text',
      code: 0,
      stderr: '',
    });
    expect(rows).toContain('support,1,,"","a""b,\n\u009b"');
    const lines = await cli.run('exec', '--all', '--json-lines', sql);
    const parsed = lines.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { tenant: string; row: object });
    expect(parsed).toHaveLength(rows.length - 1);
    expect(parsed).toContainEqual({
      tenant: 'support',
      row: { one: 1, nothing: null, empty: '', text: 'a"b,\n\u009b' },
    });
    expect(lines.stdout).not.toContain('\u009b');
    // The adopted schema has other columns.
    const some = await cli.run('exec', '--all', '--csv', 'SELECT count(description) AS n FROM orders');
    expect(some).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^tenant,n\n.*support,\d+\n/s) as string,
    });
    expect(some.stderr).toMatch(/^old: error: column "description" does not exist\n$/);
    expect(await cli.run('exec', '--tenant', 'support', '--json-lines', 'SELECT nothing')).toMatchObject({
      code: 1,
      stdout: '',
    });
    const misfits = await cli.run('exec', '--all', '--csv', 'SELECT * FROM orders LIMIT 1');
    expect(misfits.stdout.split('\n')[0]).toMatch(/^tenant,/);
    for (const args of [
      ['--csv', '--json'],
      ['--csv', '--json-lines'],
      ['--csv', '--write'],
      ['--read-only', '--write'],
    ])
      expect(await cli.run('exec', '--tenant', 'support', ...args, 'SELECT 1')).toMatchObject({ code: 2 });
    expect(await cli.run('exec', '--all', '--csv', 'SELECT 1; COMMIT')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has 2 statements') as string,
    });
  });

  it('prints values as they are in the table, whatever clock and parsers this process has', async () => {
    const values = {
      day: `'2026-05-01'::date`,
      last: `'294276-01-01'::timestamp`,
      never: `'infinity'::timestamptz`,
      fine: `'2026-05-01 12:00:00.123456'::timestamp`,
      none: `'NaN'::float8`,
      bytes: `'\\x4142'::bytea`,
      list: `ARRAY[1, 2]`,
      long: `9007199254740993`,
      flag: 'true',
    };
    const sql = `SELECT ${Object.entries(values)
      .map(([name, value]) => `${value} AS ${name}`)
      .join(', ')}`;
    const environment = { ...cli.environment, TZ: 'Asia/Tokyo' };
    const exec = async (...args: string[]) =>
      (await cli.line.spawn(['exec', '--tenant', 'support', ...args, sql], environment)).stdout;
    expect(await exec('--csv')).toBe(
      'tenant,day,last,never,fine,none,bytes,list,long,flag\n' +
        'support,2026-05-01,294276-01-01 00:00:00,infinity,2026-05-01 12:00:00.123456,NaN,\\x4142,"{1,2}",9007199254740993,t\n',
    );
    const row = {
      ...{
        day: '2026-05-01',
        last: '294276-01-01 00:00:00',
        never: 'infinity',
        none: 'NaN',
        bytes: '\\x4142',
      },
      ...{ fine: '2026-05-01 12:00:00.123456', list: [1, 2], long: '9007199254740993', flag: true },
    };
    expect(JSON.parse(await exec('--json-lines'))).toEqual({ tenant: 'support', row });
    expect(JSON.parse(await exec('--json'))).toMatchObject({ tenants: [{ results: [{ rows: [row] }] }] });
    expect(await exec()).toContain('2026-05-01  294276-01-01 00:00:00  infinity');
    expect(await cli.run('exec', '--tenant', 'support', '--csv', 'SELECT 1 AS id, 2 AS id')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('two columns named "id"') as string,
    });
  });

  it('shows nothing that a terminal would obey, wherever it comes from: errors, arguments, JSON', async () => {
    const raise = `DO $$ BEGIN RAISE EXCEPTION e'\\x1b]0;owned\\x07\\nold: SELECT 1\\x7f'; END $$`;
    const failed = await cli.run('exec', '--tenant', 'support', raise);
    expect(failed.stdout).toBe('support: error: \\u001b]0;owned\\u0007\\u000aold: SELECT 1\\u007f\n');
    const json = await cli.run('exec', '--json', '--tenant', 'support', `SELECT e'\\u202e\\u009b' AS turned`);
    expect(json.stdout).toContain('"\\u202e\\u009b"');
    for (const args of [
      ['import', '\x1b[2Jfile'],
      ['tenant', 'show', '\x9b2J'],
      ['tenant', 'create', 'x', '--metadata', '\x1b[31m'],
      ['exec', '--tenant', 'support', '--file', '\x1b[31m'],
      ['nonsense\x1b[31m'],
      ['tenant', 'nonsense\x1b[31m'],
    ]) {
      const { stdout, stderr } = await cli.run(...args);
      expect(stdout + stderr).not.toMatch(/(?![\n\t])\p{Cc}/u);
    }
  });
});

describe('hostile arguments', () => {
  it.each([
    [['tenant', 'create', `a'; DROP SCHEMA tenancy CASCADE; --`], 3, 'VALIDATION_FAILED'],
    [['tenant', 'create', 'аcme'], 3, 'VALIDATION_FAILED'],
    [['tenant', 'create', 'x', '--metadata', '[1]'], 2, 'COMMAND_LINE_INVALID'],
    [['tenant', 'show', `' OR true --`], 3, 'TENANT_NOT_FOUND'],
    [['tenant', 'list', '--limit', '0'], 2, 'COMMAND_LINE_INVALID'],
    [['tenant', 'nonsense'], 2, 'COMMAND_LINE_INVALID'],
    [['tenant', 'show', 'a', '--wrong'], 2, 'COMMAND_LINE_INVALID'],
    [['exec', 'SELECT 1'], 2, 'COMMAND_LINE_INVALID'],
    [['exec', '--all', '--tenant', 'a', 'SELECT 1'], 2, 'COMMAND_LINE_INVALID'],
    [['exec', '--all', '--file', 'none.sql'], 2, 'COMMAND_LINE_INVALID'],
  ])('%j is refused with %i', async (args, code, error) => {
    const result = await cli.run(...args, '--json');
    expect({ code: result.code, error: JSON.parse(result.stdout).error.code }).toEqual({ code, error });
  });
});

describe('spares and doctor', () => {
  it('spares tells how many wait, and makes those that are missing', async () => {
    const environment = { ...cli.environment, TENANCY_SPARES_COUNT: '2' };
    const spares = async (...args: string[]) =>
      JSON.parse((await cli.line.run(['spares', '--json', ...args], environment)).stdout) as unknown;
    expect(await spares()).toEqual({ wanted: 2, ready: 0, stale: 0 });
    const doctor = JSON.parse((await cli.line.run(['doctor', '--json'], environment)).stdout) as {
      findings: unknown[];
    };
    expect(doctor.findings).toContainEqual(
      expect.objectContaining({
        check: 'spares',
        severity: 'warning',
        remedy: 'run: tenancy spares --refill',
      }),
    );
    expect(await spares('--refill')).toEqual({ wanted: 2, ready: 2, stale: 0 });
    const [{ name }] = await cli.database.query<{ name: string }>(
      'SELECT schema_name AS name FROM tenancy.spares',
    );
    await cli.database.query(`DROP SCHEMA ${name} CASCADE`);
    expect(await spares()).toEqual({ wanted: 2, ready: 1, stale: 0 });
    const found = JSON.parse((await cli.line.run(['doctor', '--json'], environment)).stdout) as typeof doctor;
    expect(found.findings).toContainEqual(
      expect.objectContaining({
        check: 'spares',
        message: 'the schemas of 1 are gone, or have no mark of a spare; 1 of 2 are ready',
      }),
    );
    expect(await spares('--refill')).toEqual({ wanted: 2, ready: 2, stale: 0 });
  });

  it('doctor tells of another registry, and of schemas that do not say whose they are', async () => {
    const [{ id }] = await cli.database.query<{ id: string }>('SELECT id FROM tenancy.registry_identity');
    const [{ name }] = await cli.database.query<{ name: string }>(
      `SELECT schema_name AS name FROM tenancy.tenants WHERE slug = 'support'`,
    );
    await cli.database.query(`
      COMMENT ON SCHEMA ${name} IS 'by hand'; CREATE SCHEMA t_dddddddddddddddddddd; CREATE SCHEMA other;
      CREATE TABLE other.registry_migrations (); CREATE TABLE other.tenants ()`);
    const { findings } = await cli.json('doctor');
    await cli.database.query(`
      COMMENT ON SCHEMA ${name} IS 'tenant support; registry ${id}'; DROP SCHEMA t_dddddddddddddddddddd;
      DROP SCHEMA other CASCADE`);
    expect(findings).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          check: 'registries',
          severity: 'warning',
          message: expect.stringContaining('"other"'),
        }),
        expect.objectContaining({
          check: 'marks',
          severity: 'warning',
          message: expect.stringContaining('support'),
          remedy: expect.stringContaining(`COMMENT ON SCHEMA "${name}" IS 'tenant support; registry ${id}'`),
        }),
        expect.objectContaining({
          check: 'schemas',
          severity: 'warning',
          message: expect.stringContaining('t_dddddddddddddddddddd'),
        }),
      ]),
    );
  });

  it('doctor finds what is wrong, each with its remedy, and says so by its exit code', async () => {
    const healthy = await cli.json('doctor');
    expect(healthy).toMatchObject({ problems: 0 });
    const [{ name }] = await cli.database.query<{ name: string }>('SELECT current_database() AS name');
    await cli.database.query(`
      GRANT TEMPORARY ON DATABASE ${name} TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE EXTENSION citext;
      CREATE PUBLICATION tenancy_move_gone;
      CREATE SCHEMA t_aaaaaaaaaaaaaaaaaaaa;
      UPDATE tenancy.tenants SET schema_name = 't_bbbbbbbbbbbbbbbbbbbb' WHERE slug = 'support';
      DELETE FROM tenancy.tenant_migrations; DELETE FROM tenancy.template_migrations;
      INSERT INTO tenancy.purges (tenant_id, slug, schema_name) VALUES (gen_random_uuid(), 'gone', 't_cccccccccccccccccccc')`);
    const { code, stdout } = await cli.run('doctor', '--json');
    const { findings } = JSON.parse(stdout) as {
      findings: { check: string; severity: string; message: string; remedy?: string }[];
    };
    expect(code).toBe(4);
    const seen = Object.fromEntries(
      findings
        .filter(({ severity }) => severity !== 'ok' && severity !== 'skipped')
        .map((each) => [`${each.severity} ${each.check}`, each.remedy]),
    );
    expect(seen).toMatchObject({
      'warning TEMPORARY': `REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
      'warning CREATE on public': 'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
      'warning extensions': expect.stringContaining('sharedSchemas'),
      'warning unfinished purges': expect.stringContaining('sweeper'),
      'warning slots': expect.stringContaining('runbook'),
      'problem template': 'run: tenancy migrate up',
      'problem migrations': 'run: tenancy migrate up',
      'warning schemas': expect.stringContaining('adopt'),
      'problem schemas': expect.stringContaining('tenancy import'),
    });
  });

  it('doctor looks at the roles where tenants have some', async () => {
    const roles = await createRolesDatabase();
    try {
      const urls = { DATABASE_URL: roles.loginUrl, TENANCY_ADMIN_URL: roles.adminUrl, TENANCY_ROLES: 'true' };
      const environment = { ...cli.environment, ...urls };
      await cli.line.run(['tenant', 'create', 'acme'], environment);
      const findings = async () => {
        const { stdout } = await cli.line.run(['doctor', '--json'], environment);
        return (JSON.parse(stdout) as { findings: unknown[] }).findings;
      };
      expect(await findings()).toContainEqual(expect.objectContaining({ check: 'roles', severity: 'ok' }));
      await roles.query(`ALTER ROLE ${roles.login} INHERIT`);
      expect(await findings()).toContainEqual(
        expect.objectContaining({
          check: 'roles',
          severity: 'problem',
          message: expect.stringContaining('NOINHERIT'),
        }),
      );
    } finally {
      await roles.drop();
    }
  });

  it('doctor names bad options, an unreachable server, and a start that fails', async () => {
    const bad = await cli.line.run(['doctor', '--json'], { ...cli.environment, TENANCY_POOL_SIZE: 'many' });
    expect(bad.code).toBe(4);
    expect(JSON.parse(bad.stdout).findings).toEqual([
      expect.objectContaining({ check: 'options', message: expect.stringContaining('TENANCY_POOL_SIZE') }),
    ]);
    const gone = await cli.line.run(['doctor', '--json'], {
      ...cli.environment,
      DATABASE_URL: 'postgres://127.0.0.1:1/none',
    });
    const message =
      'PostgreSQL does not answer at 127.0.0.1:1 (ECONNREFUSED). Start it there, or correct DATABASE_URL.';
    expect(problemsOf(gone.stdout)).toEqual([expect.objectContaining({ check: 'connection', message })]);
    const locked = new URL(cli.environment.DATABASE_URL);
    locked.pathname = '/no_such_database';
    const refused = await cli.line.run(['doctor', '--json'], {
      ...cli.environment,
      DATABASE_URL: locked.href,
    });
    expect(problemsOf(refused.stdout)).toEqual([
      expect.objectContaining({
        check: 'connection',
        message: expect.stringContaining('Make it (CREATE DATABASE "no_such_database")'),
      }),
    ]);
    expect(
      await cli.line.run(['tenant', 'list'], {
        ...cli.environment,
        DATABASE_URL: 'postgres://127.0.0.1:1/none',
      }),
    ).toEqual(said(5, /does not answer at 127\.0\.0\.1:1 \(ECONNREFUSED\)\. .* DATABASE_URL/));
  });
});

describe('the application', () => {
  it('is found by --module, by TENANCY_MODULE and by package.json, as an ES module too', async () => {
    const { TENANCY_MODULE, ...environment } = cli.environment;
    const list = (...args: string[]) => cli.line.run(['tenant', 'list', ...args], environment);
    expect(await list()).toEqual(
      said(2, /Where is the application\?[\s\S]*--module[\s\S]*TENANCY_MODULE[\s\S]*package\.json/),
    );
    cli.write('app.mjs', `export { AppModule as Shop } from './dist/app.module.js'; export const other = 1;`);
    expect((await list('--module', 'app.mjs#Shop')).code).toBe(0);
    expect((await list('--module', 'app.mjs')).code).toBe(0);
    cli.write('package.json', JSON.stringify({ tenancy: { module: TENANCY_MODULE } }));
    expect((await list()).code).toBe(0);
  });

  it.each([[['--module', SAMPLE, 'doctor']], [['migrate', '--module', SAMPLE, 'status']]])(
    'is named behind the command: %j',
    async (words) => {
      expect(await cli.run(...words)).toEqual(said(2, /Options follow the command: tenancy doctor --module/));
      expect(await cli.json(...words)).toMatchObject({
        error: { code: 'COMMAND_LINE_INVALID', message: expect.stringContaining('Options follow') },
      });
    },
  );

  it.each([
    ['nowhere.js', /no file .*nowhere\.js[\s\S]*build the application first/],
    [`${SAMPLE.split('#')[0]}#Nobody`, /exports no module "Nobody"[\s\S]*The file exports AppModule/],
    ['raw.ts', /is TypeScript[\s\S]*dist\/app\.module\.js/],
    ['empty.js#EmptyModule', /does not import TenancyModule/],
  ])('%s: says what to write instead', async (module, message) => {
    cli.write(
      'raw.ts',
      'enum Kind { A } export class AppModule { constructor(private readonly kind: Kind) {} }',
    );
    cli.write(
      'empty.js',
      'exports.EmptyModule = class EmptyModule {}; require("@nestjs/common").Module({})(exports.EmptyModule);',
    );
    expect(await cli.run('tenant', 'list', '--module', module)).toEqual(said(2, message));
  });

  it('may write to stdout and log as it likes: what a script reads is one JSON document', async () => {
    cli.write(
      'noisy.js',
      `console.log('loading'); const { AppModule } = require('./dist/app.module.js'); process.stdout.write('loaded\\n');
       class Noise { onModuleInit() { console.log('starting'); new (require('@nestjs/common').Logger)('Noise').log('hello'); } }
       require('@nestjs/common').Module({ imports: [AppModule], providers: [Noise] })(Noise);
       exports.NoisyModule = Noise;`,
    );
    const { stdout, stderr, code } = await cli.run(
      'tenant',
      'list',
      '--json',
      '--verbose',
      '--module',
      'noisy.js',
    );
    expect(JSON.parse(stdout)).toMatchObject({ data: expect.any(Array) });
    expect(stderr).toMatch(/loading[\s\S]*loaded[\s\S]*starting/);
    expect(stderr).toContain('hello');
    expect(code).toBe(0);
  });
});

describe('init', () => {
  it('writes files that compile, tells the next steps, and never overwrites', async () => {
    const { written } = await cli.json('init', '--directory', 'src');
    expect(written).toEqual(['src/tenancy.options.ts', 'src/data-source.ts']);
    const files = written.map((file: string) => join(cli.line.directory, file));
    expect(complaintsAbout(files)).toEqual([]);
    cli.write('src/data-source.ts', 'mine');
    rmSync(files[0]);
    const { code, stdout } = await cli.run('init');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /written +src\/tenancy\.options\.ts\nkept +src\/data-source\.ts[\s\S]*npx tenancy doctor/,
    );
    expect(readFileSync(files[1], 'utf8')).toBe('mine');
  });

  it('writes files that compile where the nearest package.json says ES modules', async () => {
    mkdirSync(join(cli.line.directory, 'esm'));
    cli.write('esm/package.json', '{ "type": "module" }');
    const { written } = await cli.json('init', '--directory', 'esm/src');
    const files = written.map((file: string) => join(cli.line.directory, file));
    expect(readFileSync(files[1], 'utf8')).toContain(`from './tenancy.options.js'`);
    expect(complaintsAbout(files)).toEqual([]);
  });

  /** What tsc says with `nodenext`, as this repository has it. */
  function complaintsAbout(files: readonly string[]): unknown[] {
    const root = join(__dirname, '../../..');
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
    const compiler = ts.createProgram(files, options);
    const found = files.flatMap((file) => compiler.getSemanticDiagnostics(compiler.getSourceFile(file)));
    return found.map(({ messageText }) => messageText);
  }
});

it('says how to install what is missing', async () => {
  cli.write(
    'without.js',
    `const Module = require('module'); const load = Module._load;
    Module._load = (name, ...rest) => { if (name === 'nest-commander') throw Object.assign(new Error("Cannot find module 'nest-commander'"), { code: 'MODULE_NOT_FOUND' }); return load(name, ...rest); };`,
  );
  const result = await cli.line.spawn(['--help'], {
    NODE_OPTIONS: `--require ${join(cli.line.directory, 'without.js')}`,
  });
  expect(result).toEqual(said(2, /npm install nest-commander/));
});
