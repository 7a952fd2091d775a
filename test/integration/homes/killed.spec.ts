import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { type Tenant, TenantStore, TenantSweeper } from '../../../lib';
import { felt } from '../../support/change-feed';
import { cleanEnvironment, programArguments } from '../../support/commands';
import { type DatabasesWorld, startDatabases } from './world';

let world: DatabasesWorld;
let base: string;
beforeAll(async () => {
  world = await startDatabases();
  base = `base_${new URL(world.database.url).pathname.slice(1)}`;
  await world.database.query(`CREATE DATABASE ${base} TEMPLATE template0 STRATEGY file_copy`);
  await world.database.query(`ALTER DATABASE ${base} IS_TEMPLATE true ALLOW_CONNECTIONS false`);
});
/** What is open when a test fails would keep its databases. */
const left: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of left) await end();
  await world.database.query(`ALTER DATABASE ${base} IS_TEMPLATE false`);
  await world.database.query(`DROP DATABASE ${base}`);
  await world.close();
});

const find = (slug: string) => world.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug });
const sweep = () => world.app.get(TenantSweeper).sweep();
const until = async (isSo: () => Promise<boolean>) => expect(await felt(isSo, 30_000)).toBeLessThan(Infinity);
const isThere = async (sql: string, values: unknown[] = []) =>
  (await world.database.query(sql, values)).length > 0;
const waits = (statement: string) => () =>
  isThere(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`, [statement]);

/** A program that makes databases, and is killed in the middle of it. */
function startMaker() {
  const child = spawn(
    process.execPath,
    programArguments('test/support/database-maker-program.ts', world.database.url, base),
    { env: cleanEnvironment(), stdio: ['pipe', 'pipe', 'inherit'] },
  );
  left.push(() => child.kill('SIGKILL'));
  const said = new Set<string>();
  createInterface(child.stdout).on('line', (line) => said.add(line));
  return {
    ask: (line: string) => child.stdin.write(`${line}\n`),
    says: (line: string) =>
      until(async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return said.has(line);
      }),
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Keeps what it does open until it is told to end: others wait for it. */
async function hold(statement: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: world.database.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('BEGIN');
  await client.query(statement);
  let ended: Promise<void> | undefined;
  const end = () => (ended ??= client.end());
  left.push(end);
  return end;
}

it('settles what a killed process left of its databases, also what PostgreSQL goes on with', async () => {
  const maker = startMaker();
  await maker.says('started');
  maker.ask('fill');
  for (const slug of ['filling', 'filled']) await maker.says(slug);
  // CREATE waits for who changes the database that is copied.
  const openBase = await hold(`COMMENT ON DATABASE ${base} IS 'busy'`);
  maker.ask('create');
  await until(waits('CREATE DATABASE%'));
  // The last that the maker does in a tenant's database is to commit its comment. Then it takes its note back.
  const { schemaName: filled } = (await find('filled'))!;
  const openNote = await hold(`SELECT FROM tenancy.databases WHERE name = '${filled}' FOR UPDATE`);
  maker.ask('go on');
  await until(() => isThere(`SELECT FROM pg_shdescription WHERE description LIKE 'tenant filled; %'`));
  await until(waits('DELETE FROM "tenancy".databases%'));
  await maker.kill();
  await openNote();

  const [{ name: begun }] = await world.database.query<{ name: string }>(
    `SELECT substring(query, '"(.*?)"') AS name FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND state = 'active'`,
  );
  await until(async () => {
    const { problems } = await sweep();
    return problems.length === 0 && (await find('filling')) === undefined;
  });
  expect(await find('creating')).toBeUndefined();
  expect(await find('filled')).toMatchObject({ status: 'active', schemaVersion: expect.any(String) });
  await world.write((await find('filled')) as Tenant, 'served');
  // Its statement waits, and nobody hears of its end. Its name is not forgotten before.
  expect(await world.database.query('SELECT name FROM tenancy.databases')).toEqual([{ name: begun }]);
  await openBase();
  await until(() => isThere(`SELECT FROM pg_database WHERE datname = $1`, [begun]));
  await until(async () => {
    await sweep();
    return !(await isThere('SELECT FROM tenancy.databases'));
  });
  expect(await world.databases()).toEqual([filled]);
  expect(await isThere(`SELECT FROM pg_database WHERE datname = $1`, [begun])).toBe(false);
});
