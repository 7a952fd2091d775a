import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { cleanEnvironment, programArguments, REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { rawRequest } from '../support/raw-request';
import { ADAPTERS } from '../support/sample-app';
import type { StoppableAppEvent } from '../support/stoppable-app';

interface RunningApp {
  readonly child: ChildProcess;
  /** The next line that it prints. */
  nextEvent(): Promise<Partial<Record<'listening' | 'holding' | 'stopping', string>>>;
  stderr(): string;
}

function startApp(platform: string, databaseUrl: string): RunningApp {
  const program = join(REPOSITORY, 'test/support/stoppable-app.ts');
  const child = spawn(process.execPath, programArguments(program, platform, databaseUrl), {
    cwd: REPOSITORY,
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = createInterface(child.stdout);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    child,
    async nextEvent() {
      const ended = once(child, 'close').then(() => Promise.reject(new Error(`It ended: ${stderr}`)));
      const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
      return JSON.parse(line) as StoppableAppEvent;
    },
    stderr: () => stderr,
  };
}

describe.each(ADAPTERS)('SIGTERM to an application with enableShutdownHooks() on %s', (platform) => {
  let database: TestDatabase;
  let locker: Client;
  let running: RunningApp;

  beforeAll(async () => {
    database = await createTestDatabase();
    locker = new Client({ connectionString: database.url });
    await locker.connect();
    running = startApp(platform, database.url);
  });
  afterAll(async () => {
    running.child.kill('SIGKILL');
    await locker.end();
    await database.drop();
  });

  const connections = () =>
    database.query(
      `SELECT application_name, query FROM pg_stat_activity
       WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL($1)`,
      [[(locker as unknown as { processID: number }).processID]],
    );

  it('lets requests under way finish, closes every pool, and leaves nothing that keeps the process', async () => {
    const { child, nextEvent } = running;
    const { listening: url } = await nextEvent();
    await locker.query('SELECT pg_advisory_lock(1)');
    const underWay = rawRequest(url!, '/lock', {
      headers: { 'x-tenant-id': 'acme', connection: 'close' },
    });
    const waits = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`;
    while ((await database.query(waits)).length === 0);

    const closed = once(child, 'close');
    const stopping = nextEvent();
    child.kill('SIGTERM');
    await expect(stopping).resolves.toEqual({ stopping: 'SIGTERM' });
    await locker.query('SELECT pg_advisory_unlock(1)');

    await expect(underWay).resolves.toEqual({ status: 200, body: { done: true } });
    await expect(closed).resolves.toEqual([0, null]);
    expect(running.stderr()).toBe('');
    // Its own connection, which asks, is all that is there.
    await expect(connections()).resolves.toHaveLength(1);
  });
});

describe('SIGKILL to an application with a transaction under way', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('leaves no lock, no row and no session behind', async () => {
    const { child, nextEvent } = startApp('Express', database.url);
    const { listening: url } = await nextEvent();
    const underWay = rawRequest(url!, '/hold', { headers: { 'x-tenant-id': 'acme' } });
    underWay.catch(() => undefined);
    await expect(nextEvent()).resolves.toEqual({ holding: '2' });
    child.kill('SIGKILL');
    await expect(underWay).rejects.toThrow();
    // Waits for the lock that the dead one held.
    await database.query('SELECT pg_advisory_xact_lock(2)');
    const left = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND backend_type = 'client backend'`;
    while ((await database.query(left)).length > 0);
  });
});
