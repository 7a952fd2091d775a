import { join } from 'node:path';
import { REPOSITORY } from '../../support/commands';
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
});

it('tells of each server where it is, and what it has, without its password', async () => {
  const { code, servers } = await json('servers');
  const common = { open: true, reachable: true, reason: null, spares: { ready: 0, wanted: 0 } };
  expect([code, servers]).toEqual([
    0,
    [
      { name: 'default', address: addressOf(cli.database.url), tenants: 1, ...common },
      { name: 'eu', address: addressOf(way.url), tenants: 2, ...common },
    ],
  ]);
  expect((await run('servers')).stdout).toMatch(/^eu +\S+ +yes +yes +2 +0 of 0$/m);
});

it('tells why one cannot be reached, and of one that the options do not name', async () => {
  await way.cut();
  try {
    const { code, stdout } = await run('servers');
    expect(code).toBe(4);
    expect(stdout).toMatch(/^eu +\S+ +yes +no +2 +–$/m);
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
      spares: null,
    },
  ]);
});
