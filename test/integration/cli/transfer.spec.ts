import { spawn } from 'node:child_process';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { cleanEnvironment } from '../../support/commands';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { type CliApp, environmentFor, startCliApp } from './cli-app';

const KEY = '0123456789abcdef0123456789abcdef';

// Each command is a process that starts an application: a second on a quiet machine, ten on a busy one.
jest.setTimeout(900_000);

let cli: CliApp;
let there: TestDatabase;
let file: string;

beforeAll(async () => {
  cli = await startCliApp();
  there = await createTestDatabase();
  file = join(cli.line.directory, 'acme.tenant');
  const { schemaName } = await cli.json('tenant', 'create', 'acme', '--domain', 'acme.test');
  await cli.database.query(
    `INSERT INTO ${schemaName}.orders (description) SELECT md5(g::text) || md5((g * 7)::text) FROM generate_series(1, 200000) g`,
  );
});
afterAll(async () => {
  await cli?.close();
  await there?.drop();
});

/** The program, while it runs. */
function start(args: readonly string[], environment = cli.environment) {
  const options = { cwd: cli.line.directory, env: cleanEnvironment(environment) };
  const child = spawn(process.execPath, [cli.line.program, ...args], { ...options, stdio: 'pipe' });
  // It may end before it has read all that it was sent.
  child.stdin.on('error', () => undefined);
  const stderr = text(child.stderr);
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, stderr, ended };
}

const filesHere = () => readdirSync(cli.line.directory).filter((name) => name.includes('.tenant'));
const run = (database: TestDatabase, ...args: string[]) => cli.line.run(args, environmentFor(database));
const leftOf = async (slug: string) => [
  await there.query('SELECT slug FROM tenancy.tenants WHERE slug = $1', [slug]),
  await there.query(
    `SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%' AND nspname NOT IN (SELECT schema_name FROM tenancy.tenants)`,
  ),
];

it('export: Ctrl-C in the middle leaves no file, under any name', async () => {
  const { child, stderr, ended } = start(['export', 'acme', '--to', 'acme.tenant']);
  while (filesHere().length === 0 && child.exitCode === null) await turn();
  expect(filesHere()).toEqual([expect.stringMatching(/^\.acme\.tenant\.\w+\.partial$/)]);
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(await stderr).toContain('Interrupted. No file was written.');
  expect(filesHere()).toEqual([]);
});

it('export: writes a file for its owner alone, and replaces none unless it is told to', async () => {
  const { file: name, tenant, rows } = await cli.json('export', 'acme', '--to', 'acme.tenant');
  expect({ name, tenant, rows }).toEqual({ name: 'acme.tenant', tenant: 'acme', rows: 200_000 });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = readFileSync(file);
  expect(await cli.run('export', 'acme', '--to', 'acme.tenant')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/is there already[\s\S]*--force/),
  });
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(await cli.run('export', 'nobody', '--to', 'acme.tenant', '--force')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('No such tenant'),
  });
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(await cli.run('export', 'acme', '--to', 'b.tenant', '--without', 'files, icons')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("without: there is nothing called 'files', only nothing at all"),
  });
  expect(await cli.run('export', 'acme', '--to', 'no/such/../folder/acme.tenant')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('cannot be written'),
  });
  expect(filesHere()).toEqual(['acme.tenant']);
});

it('import: makes the same tenant on another database, whole and once', async () => {
  const { code, stdout } = await run(there, 'import', 'acme.tenant', '--keep-id', '--domains', '--json');
  expect(code).toBe(0);
  const { tenant, rows, verification } = JSON.parse(stdout);
  expect({ rows, verification }).toEqual({ rows: 200_000, verification: 'fingerprint' });
  expect(tenant).toMatchObject({
    id: (await cli.json('tenant', 'show', 'acme')).id,
    slug: 'acme',
    domains: ['acme.test'],
  });
  const sum = `SELECT md5(string_agg(description, ',' ORDER BY id)) AS sum FROM `;
  const { schemaName } = await cli.json('tenant', 'show', 'acme');
  expect(await there.query(`${sum}${tenant.schemaName}.orders`)).toEqual(
    await cli.database.query(`${sum}${schemaName}.orders`),
  );
  expect(await run(there, 'import', 'acme.tenant')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('taken'),
  });
});

it('import: Ctrl-C in the middle leaves no half tenant', async () => {
  const { child, stderr, ended } = start(['import', '-', '--slug', 'half'], environmentFor(there));
  const bytes = readFileSync(file);
  child.stdin.write(bytes.subarray(0, bytes.length / 2));
  const isCopying = () =>
    there.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'`,
    );
  while ((await isCopying()).length === 0 && child.exitCode === null);
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(await stderr).toContain('Interrupted. Nothing was imported.');
  expect(await leftOf('half')).toEqual([[], []]);
});

it('import: a file that was cut off, changed, or is none leaves nothing, and says so', async () => {
  const bytes = readFileSync(file);
  const changed = Buffer.from(bytes);
  changed[bytes.length >> 1] ^= 1;
  writeFileSync(join(cli.line.directory, 'cut.tenant'), bytes.subarray(0, bytes.length - 1000));
  writeFileSync(join(cli.line.directory, 'changed.tenant'), changed);
  for (const [name, code, message] of [
    ['cut.tenant', 3, /cut off/],
    ['changed.tenant', 3, /cannot be imported|nothing of it was kept/],
    ['package.json', 3, /not a gzip file/],
    ['none.tenant', 2, /cannot be read/],
    ['../../../none', 2, /cannot be read/],
  ] as const) {
    const result = await run(there, 'import', name, '--slug', 'bad');
    expect({ name, ...result }).toEqual({
      name,
      code: name === 'changed.tenant' ? expect.any(Number) : code,
      stdout: '',
      stderr: expect.stringMatching(message),
    });
    expect(result.code).not.toBe(0);
  }
  expect(await leftOf('bad')).toEqual([[], []]);
});

it('goes through a pipe, sealed with a key that both sides have', async () => {
  await cli.json('tenant', 'create', 'small');
  const sealed = (database: TestDatabase) => ({ ...environmentFor(database), TENANCY_EXPORT_KEY: KEY });
  const exporting = start(['export', 'small', '--to', '-'], sealed(cli.database));
  const bytes = await buffer(exporting.child.stdout);
  expect(await exporting.ended).toBe(0);
  writeFileSync(join(cli.line.directory, 'small.tenant'), bytes);
  expect(await run(there, 'import', 'small.tenant')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('sealed with a key'),
  });
  const importing = start(['import', '-', '--slug', 'piped', '--json'], sealed(there));
  createReadStream(join(cli.line.directory, 'small.tenant')).pipe(importing.child.stdin);
  expect(JSON.parse(await text(importing.child.stdout))).toMatchObject({ tenant: { slug: 'piped' } });
  expect(existsSync(file)).toBe(true);
  expect(await cli.run('export', 'small', '--to', '-', '--json')).toMatchObject({ code: 2 });
});
