import { randomBytes } from 'node:crypto';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { cleanEnvironment, REPOSITORY, run } from '../support/commands';
import { survivorsOf, treeOf, type RunningProcess } from '../support/processes';

const NOT_IN_A_CLONE = ['node_modules', 'dist', 'build', 'coverage', '.data', '.git'];
/** Two and a half minutes: each start builds first. */
const MAX_TRIES = 600;

const MASTER_KEY = randomBytes(24).toString('hex');

/** A clone in a directory that is closed to others, as below a home: the worst place for an embedded server. */
let clone: string;
let port: number;
let app: RunningApp | undefined;
const dataDirectories = new Set<string>();

interface RunningApp {
  readonly npm: ChildProcess;
  /** What it has printed when it began to serve. */
  readonly output: string;
  /** npm, the application, the embedded server and its workers. */
  readonly processes: readonly RunningProcess[];
}

beforeAll(async () => {
  clone = join(await mkdtemp(join(tmpdir(), 'start-spec-')), 'nestjs-tenancy');
  const filter = (path: string): boolean => !NOT_IN_A_CLONE.includes(basename(path));
  await cp(REPOSITORY, clone, { recursive: true, filter });
  await run(clone, 'npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund']);
  port = await freePort();
});

afterAll(async () => {
  for (const { pid } of app?.processes ?? []) killIfThere(pid);
  await rm(dirname(clone), { recursive: true, force: true });
  for (const directory of dataDirectories) await rm(directory, { recursive: true, force: true });
});

it('`npm start` says from the first moment what it does, and last where it is and what to do there', async () => {
  app = await start();
  const lines = app.output.split('\n');
  const place = (text: string) => lines.findIndex((line) => line.startsWith(text));
  const order = ['Building', '… built in', 'Starting PostgreSQL', 'Starting the application', 'Listening on'];
  expect(order.map(place)).toEqual(order.map(place).sort((one, other) => one - other));
  expect(order.map(place)).not.toContain(-1);
  expect(app.output).not.toMatch(/RouterExplorer|InstanceLoader|RoutesResolver/);
  expect(app.output).toContain('The template has seen CreateOrders1700000000000.');
  const last = lines.filter(Boolean).slice(-4);
  expect(last[0]).toMatch(`Listening on http://localhost:${port}, rows are in /`);
  // One that was given is a secret.
  expect(last[1]).toBe('TENANCY_MASTER_KEY is as it was set');
  expect(app.output).not.toContain(MASTER_KEY);
  const { stdout } = await run(clone, 'bash', ['-c', last[3]], { TENANCY_MASTER_KEY: MASTER_KEY });
  expect(JSON.parse(stdout)).toMatchObject({ slug: 'acme', status: 'active' });
});

it('another start in the same folder says in one line that the first one runs, and ends with 1', async () => {
  await expect(fail({})).resolves.toEqual([
    `Port ${port} is taken. Stop what listens there, or choose another port: PORT=3001 npm start`,
  ]);
  const lines = await fail({ PORT: String(await freePort()) });
  expect(lines).toEqual([
    'Starting PostgreSQL …',
    expect.stringMatching(/^The start has failed: The data in ".*" is in use by .* Stop that one first/),
  ]);
  await expect(call('GET', '/health')).resolves.toMatchObject({ status: 200 });
});

it('a port that is none is told of in one line', async () => {
  await expect(fail({ PORT: 'abc' })).resolves.toEqual([
    'PORT is "abc": give a number below 65536, as in PORT=3001 npm start',
  ]);
});

it('it gives an application on a database of its own, and tenants in it', async () => {
  await expect(call('GET', '/health')).resolves.toEqual({ status: 200, body: { status: 'ok' } });
  await expect(call('GET', '/tenant', { 'x-tenant-id': 'acme' })).resolves.toMatchObject({
    status: 200,
    body: { slug: 'acme' },
  });
  await expect(order('tea')).resolves.toMatchObject({ status: 201, body: { description: 'tea' } });
});

it('Ctrl-C ends the application and its database server', async () => {
  const { npm, processes } = app!;
  expect(processes.filter(isPostmaster)).toHaveLength(1);
  // A terminal sends the signal to every process of the group in its foreground.
  process.kill(-npm.pid!, 'SIGINT');
  await expect(survivorsOf(processes)).resolves.toEqual([]);
});

it('rows are still there after a restart, which builds nothing', async () => {
  app = await start();
  expect(app.output).not.toContain('Building');
  expect(app.output).not.toContain('The template has seen');
  await expect(descriptions()).resolves.toEqual(['tea']);
  await order('milk');
});

it('rows are still there after the application was killed, and its orphaned server is no hindrance', async () => {
  const { processes } = app!;
  for (const each of processes) if (!each.command.includes('postgres')) killIfThere(each.pid);
  app = await start();
  await expect(descriptions()).resolves.toEqual(['milk', 'tea']);
  await expect(survivorsOf(processes)).resolves.toEqual([]);
});

it('SIGTERM to npm, as service managers send it, ends all of them', async () => {
  const { npm, processes } = app!;
  npm.kill('SIGTERM');
  await expect(survivorsOf(processes)).resolves.toEqual([]);
});

it('a folder that may not be written to is named in one line', async () => {
  await rm(join(clone, 'build'), { recursive: true });
  const parent = dirname(clone);
  await chmod(parent, 0o755);
  await chmod(clone, 0o555);
  const { stderr } = await new Promise<{ stderr: string }>((resolve) => {
    // root may write everywhere.
    const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const options = { cwd: clone, env: cleanEnvironment({ PORT: String(port) }), ...account };
    execFile(
      process.execPath,
      ['sample/start.mjs', '01-orders/main', 'tsconfig.sample.json'],
      options,
      (error, _stdout, stderr) => resolve({ stderr: `${error?.code} ${stderr}` }),
    );
  });
  await chmod(clone, 0o755);
  expect(stderr).toMatch(/^1 .* cannot be built in \(EACCES: .*\)\. npm start writes into .*\n$/);
});

/** The lines that a start says which cannot be. npm's own begin with its name. */
async function fail(extra: Record<string, string>): Promise<string[]> {
  const env = cleanEnvironment({ PORT: String(port), TENANCY_MASTER_KEY: MASTER_KEY, ...extra });
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile('npm', ['start'], { cwd: clone, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code, output: stdout + stderr }),
    );
  });
  expect({ code, output }).toMatchObject({ code: 1 });
  return output.split('\n').filter((line) => line !== '' && !/^(> |npm )/.test(line));
}

async function start(): Promise<RunningApp> {
  const env = cleanEnvironment({ PORT: String(port), TENANCY_MASTER_KEY: MASTER_KEY });
  const npm = spawn('npm', ['start'], { cwd: clone, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let ended = false;
  for (const stream of [npm.stdout, npm.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  npm.once('exit', () => (ended = true));
  for (let attempt = 0; attempt < MAX_TRIES && !ended; attempt++) {
    if (output.includes('curl') && (await isHealthy()))
      return { npm, output, processes: remember(treeOf(npm.pid!)) };
    await wait(250);
  }
  for (const { pid } of treeOf(npm.pid!)) killIfThere(pid);
  throw new Error(`npm start ${ended ? 'ended' : 'did not answer in time'}:\n${output}`);
}

/** Where the embedded server keeps its data, so that we can remove it wherever it is. */
function remember(processes: RunningProcess[]): RunningProcess[] {
  const cluster = / -D (\S+)/.exec(processes.find(isPostmaster)?.command ?? '')?.[1];
  if (cluster) dataDirectories.add(dirname(cluster));
  return processes;
}

function isPostmaster({ command }: RunningProcess): boolean {
  return / -D .*cluster_name=/.test(command);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

async function call(method: string, path: string, headers: Record<string, string> = {}, body?: object) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { ...headers, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

async function isHealthy(): Promise<boolean> {
  return call('GET', '/health').then(
    ({ status }) => status === 200,
    () => false,
  );
}

function order(description: string) {
  return call('POST', '/orders', { 'x-tenant-id': 'acme' }, { description });
}

async function descriptions(): Promise<string[]> {
  const { body } = await call('GET', '/orders', { 'x-tenant-id': 'acme' });
  return (body as { description: string }[]).map(({ description }) => description).sort();
}
