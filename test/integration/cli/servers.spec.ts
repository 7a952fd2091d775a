import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Client } from 'pg';
import { cleanEnvironment, REPOSITORY } from '../../support/commands';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { startWay, type Way } from '../servers/world';
import { type CliApp, startCliApp } from './cli-app';

// Each command is a process that starts an application: a second on a quiet machine, ten on a busy one.
jest.setTimeout(900_000);

let cli: CliApp;
let eu: TestDatabase;
let way: Way;
let environment: Record<string, string>;

beforeAll(async () => {
  cli = await startCliApp({ placed: join(REPOSITORY, 'test/support/placed-app') });
  eu = await createTestDatabase();
  way = await startWay(eu);
  environment = { ...cli.environment, TENANCY_MODULE: 'placed/app.module.js', EU_DATABASE_URL: way.url };
});
afterAll(async () => {
  await way.cut();
  await eu.drop();
  await cli.close();
});

const run = (...args: string[]) => cli.line.run(args, environment);
const json = async (...args: string[]) => {
  const { code, stdout } = await run(...args, '--json');
  return { code, ...JSON.parse(stdout) };
};
const addressOf = (url: string) => `${new URL(url).host}${new URL(url).pathname}`;

it('tells what a server lacks before anything is there', async () => {
  await run('migrate', 'up');
  const { servers } = await json('servers');
  expect(servers[0]).toMatchObject({ name: 'default', reachable: true, tenants: 0 });
  expect(servers[1]).toMatchObject({ name: 'eu', open: true });
});

it('makes tenants where --server says, and adopts them there', async () => {
  expect(await json('tenant', 'create', 'acme', '--server', 'eu')).toMatchObject({
    code: 0,
    slug: 'acme',
    place: { server: 'eu' },
  });
  expect(await json('tenant', 'create', 'globex')).toMatchObject({ place: { server: 'default' } });
  await eu.query('CREATE SCHEMA legacy; CREATE TABLE legacy.orders (id integer PRIMARY KEY)');
  expect(await json('tenant', 'adopt', 'legacy', 'old', '--server', 'eu')).toMatchObject({
    place: { server: 'eu' },
  });
  const { code, stderr } = await run('tenant', 'create', 'nowhere', '--server', 'us');
  expect([code, stderr]).toEqual([3, expect.stringContaining("No server is called 'us'")]);
});

it('shows the server of each, and lists those of one', async () => {
  const { stdout } = await run('tenant', 'list');
  expect(stdout).toMatch(/^slug +status +server +schema +name\n/);
  expect(stdout).toMatch(/^acme +active +eu +t_/m);
  expect(stdout).toMatch(/^globex +active +default +t_/m);
  const { data } = await json('tenant', 'list', '--server', 'eu');
  expect(data.map(({ slug }: { slug: string }) => slug)).toEqual(['acme', 'old']);
  expect((await run('tenant', 'show', 'acme')).stdout).toMatch(/^server +eu$/m);
  expect((await run('tenant', 'show', 'globex')).stdout).toMatch(/^server +default$/m);
  const { code, stderr } = await run('tenant', 'list', '--server', 'us');
  expect([code, stderr]).toEqual([2, expect.stringContaining('--server must be default or eu, got "us".')]);
});

it('makes, shows, lists and imports a tenant with a database of its own', async () => {
  const own = { server: 'eu', isolation: 'database' };
  const made = await run('tenant', 'create', 'own', '--server', 'eu', '--isolation', 'database');
  expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^isolation +database$/m)]);
  await run('export', 'own', '--to', 'own.tenant');
  expect(
    await json('import', 'own.tenant', '--slug', 'again', '--server', 'eu', '--isolation', 'database'),
  ).toMatchObject({ code: 0, tenant: { place: own } });
  expect((await run('tenant', 'create', 'other', '--isolation', 'rows')).code).toBe(2);
  expect((await run('tenant', 'adopt', 'legacy', 'other', '--isolation', 'database')).code).toBe(3);
  const { stdout } = await run('tenant', 'list', '--isolation', 'database');
  expect(stdout).toMatch(
    /^slug +status +server +isolation +schema +name\nown +active +eu +database +t_.*\nagain /,
  );
  const { data } = await json('tenant', 'list', '--server', 'eu', '--isolation', 'schema');
  expect(data.map(({ slug }: { slug: string }) => slug)).toEqual(['acme', 'old']);
  expect((await run('servers')).stdout).toMatch(/^eu .* 4 +0 of 0 +2 +–$/m);
  for (const slug of ['own', 'again']) {
    await run('tenant', 'delete', slug, '--yes');
    expect((await run('tenant', 'purge', slug, '--yes')).code).toBe(0);
  }
});

it('tells of each server where it is, and what it has, without its password', async () => {
  const { code, servers } = await json('servers');
  const common = {
    ...{ open: true, reachable: true, reason: null, databases: 0 },
    ...{ spares: { ready: 0, wanted: 0 }, spareDatabases: null },
  };
  expect([code, servers]).toEqual([
    0,
    [
      { name: 'default', address: addressOf(cli.database.url), tenants: 1, ...common },
      { name: 'eu', address: addressOf(way.url), tenants: 2, ...common },
    ],
  ]);
  expect((await run('servers')).stdout).toMatch(/^eu +\S+ +yes +yes +2 +0 of 0$/m);
});

it('counts the spares of every server, and imports to where --server says', async () => {
  environment.TENANCY_SPARES_COUNT = '1';
  expect(await json('spares', '--refill')).toEqual({
    ...{ code: 0, wanted: 2, ready: 2, stale: 0 },
    servers: ['default', 'eu'].map((server) => ({ server, wanted: 1, ready: 1, stale: 0, reason: null })),
  });
  delete environment.TENANCY_SPARES_COUNT;
  await run('export', 'globex', '--to', 'globex.tenant');
  expect(await json('import', 'globex.tenant', '--slug', 'moved', '--server', 'eu')).toMatchObject({
    tenant: { place: { server: 'eu' } },
  });
});

describe('move', () => {
  const place = async (tenant: string) => (await json('tenant', 'show', tenant)).place.server as string;

  it('asks first, and refuses what is not possible', async () => {
    expect((await run('move', 'globex', '--server', 'eu')).code).toBe(6);
    expect((await run('move', 'globex', '--yes')).code).toBe(2);
    expect((await run('move', 'globex', '--isolation', 'rows', '--yes')).code).toBe(2);
    expect((await run('move', 'globex', '--server', 'eu', '--verify', 'all', '--yes')).code).toBe(2);
    expect((await run('move', 'nobody', '--server', 'eu', '--yes')).code).toBe(3);
    const { code, stderr } = await run('move', 'globex', '--server', 'default', '--yes');
    expect([code, stderr]).toEqual([3, expect.stringContaining('lives there already')]);
    expect(await place('globex')).toBe('default');
  });

  it('moves a tenant, and moves show it', async () => {
    const moved = await json(
      'move',
      'globex',
      '--server',
      'eu',
      '--verify',
      'rows',
      '--yes',
      '--actor',
      'ops',
    );
    expect(moved).toMatchObject({ code: 0, state: 'done', verify: 'rows', actor: 'ops' });
    expect(await place('globex')).toBe('eu');
    const { code, stdout, stderr } = await run('move', 'globex', '--server', 'default', '--yes');
    expect([code, stderr]).toEqual([0, expect.stringMatching(/moving globex: \d of \d/)]);
    expect(stdout).toMatch(/^state +done$/m);
    expect(stdout).toMatch(/^to +default$/m);
    const { data } = await json('moves', 'list', 'globex');
    expect(data.map(({ to }: { to: { server: string } }) => to.server)).toEqual(['default', 'eu']);
    expect(await json('moves', 'show', moved.id)).toMatchObject({ code: 0, id: moved.id, actor: 'ops' });
    expect((await run('moves', 'list')).stdout).toBe('No move is under way.\n');
    expect((await run('moves', 'cancel', moved.id)).code).toBe(3);
    expect((await run('moves', 'show', 'nothing')).code).toBe(3);
  });

  it('Ctrl-C undoes it, and says so', async () => {
    const { schemaName } = await json('tenant', 'show', 'globex');
    const client = new Client({ connectionString: cli.database.url });
    await client.connect();
    try {
      await client.query(`BEGIN; INSERT INTO ${schemaName}.orders VALUES (1)`);
      const child = spawn(process.execPath, [cli.line.program, 'move', 'globex', '--server', 'eu', '--yes'], {
        cwd: cli.line.directory,
        env: cleanEnvironment(environment),
      });
      const stderr = text(child.stderr);
      const ended = once(child, 'close');
      for (let open = ''; open === '' && child.exitCode === null;) {
        const rows = await cli.database.query<{ id: string }>(
          `SELECT id FROM tenancy.moves WHERE state = 'copying'`,
        );
        open = rows[0]?.id ?? '';
      }
      child.kill('SIGINT');
      expect((await ended)[0]).toBe(130);
      expect(await stderr).toContain('The move was undone: the tenant is served where it was.');
    } finally {
      await client.end();
    }
    expect(await place('globex')).toBe('default');
    expect((await json('moves', 'list', 'globex')).data[0]).toMatchObject({ state: 'failed' });
  });
});

it('tells why one cannot be reached, and of one that the options do not name', async () => {
  await way.cut();
  try {
    const { code, stdout } = await run('servers');
    expect(code).toBe(4);
    expect(stdout).toMatch(/^eu +\S+ +yes +no +3 +–$/m);
    expect(stdout).toMatch(/^eu: .*ECONNREFUSED/m);
  } finally {
    await way.mend();
  }
  await cli.database.query(`UPDATE tenancy.tenants SET server = 'us' WHERE slug = 'old'`);
  const { code, servers } = await json('servers');
  expect([code, servers[2]]).toEqual([
    4,
    {
      name: 'us',
      address: null,
      open: false,
      reachable: false,
      reason: expect.stringContaining('which the option servers does not name'),
      tenants: 1,
      databases: 0,
      spares: null,
      spareDatabases: null,
    },
  ]);
});

describe('doctor', () => {
  const findings = async (changes: Record<string, string> = {}) => {
    const { stdout } = await cli.line.run(['doctor', '--json'], { ...environment, ...changes });
    return (JSON.parse(stdout) as { findings: { check: string; severity: string; message: string }[] })
      .findings;
  };
  const of = (found: Awaited<ReturnType<typeof findings>>, check: string) =>
    found.filter((each) => each.check === check);

  beforeAll(async () => {
    await cli.database.query(`UPDATE tenancy.tenants SET server = 'eu' WHERE slug = 'old'`);
    await run('tenant', 'list');
  });

  it('looks at each server, and names it', async () => {
    const found = await findings();
    expect(found.filter(({ severity }) => severity === 'problem')).toEqual([]);
    const message = expect.stringContaining('an instance takes up to 10 connections');
    expect(of(found, 'eu: connections')).toEqual([expect.objectContaining({ severity: 'ok', message })]);
    for (const check of ['connection', 'identity', 'session path', 'pooler', 'template', 'spares'])
      expect([check, of(found, `eu: ${check}`)]).toEqual([
        check,
        [expect.objectContaining({ severity: 'ok' })],
      ]);
    expect(of(found, 'schemas')).toEqual([expect.objectContaining({ severity: 'ok' })]);
    expect(of(found, 'eu: schemas')).toEqual([expect.objectContaining({ severity: 'ok' })]);
    expect(of(found, 'eu: migrations')).toEqual([
      expect.objectContaining({ message: 'all 3 tenants are at the version of the code' }),
    ]);
    expect(of(found, 'servers')).toEqual([]);
    expect(of(found, 'migrations')).toEqual([
      expect.objectContaining({ message: 'all 1 tenants are at the version of the code' }),
    ]);
  });

  it('says whose schema is gone there, and what is nobody’s', async () => {
    const stranger = 't_aaaaaaaaaaaaaaaaaaaa';
    await eu.query(`ALTER SCHEMA legacy RENAME TO elsewhere; CREATE SCHEMA ${stranger}`);
    try {
      const messages = of(await findings(), 'eu: schemas').map(({ message }) => message);
      expect(messages).toEqual([
        `no tenant's, and without a mark of this registry: ${stranger}`,
        'gone, of the tenants old',
      ]);
    } finally {
      await eu.query(`ALTER SCHEMA elsewhere RENAME TO legacy; DROP SCHEMA ${stranger}`);
    }
  });

  it('speaks of the server’s own options, and of one that is another or away', async () => {
    await cli.database.query(`UPDATE tenancy.tenants SET server = 'us' WHERE slug = 'moved'`);
    const small = await findings({ TENANCY_POOL_SIZE: '150' });
    await cli.database.query(`UPDATE tenancy.tenants SET server = 'eu' WHERE slug = 'moved'`);
    expect(of(small, 'servers')).toEqual([
      expect.objectContaining({
        severity: 'problem',
        message: '1 tenant gets 503: the server "us" is not in the option servers',
      }),
    ]);
    expect(of(small, 'eu: connections')).toEqual([
      expect.objectContaining({ remedy: expect.stringContaining('lower servers.eu.poolSize') }),
    ]);
    const wrong = await findings({ EU_DATABASE_URL: `${cli.database.url}?application_name=x` });
    expect(of(wrong, 'eu: identity')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('it is the database of the registry') }),
    ]);
    const away = await findings({ EU_DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    expect(of(away, 'eu: connection')).toEqual([
      expect.objectContaining({ severity: 'problem', message: expect.stringContaining('ECONNREFUSED') }),
    ]);
    expect(of(away, 'start')).toEqual([expect.objectContaining({ severity: 'ok' })]);
  });
});
