import { createServer, connect } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { DataSource } from 'typeorm';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import { TypeOrmTenantStore } from '../../../lib/registry/store/typeorm-tenant.store';
import { createTestDatabase } from '../../support/database';
import type { TestDatabase } from '../../support/database';

const UNAVAILABLE = {
  code: 'TENANCY_UNAVAILABLE',
  statusCode: 503,
  message: 'The tenant registry is not available right now. Try again shortly.',
};
const ACME = { by: 'slug', value: 'acme' } as const;
const NOBODY = '01900000-0000-7000-8000-000000000001';

/** The way to the server, which can be cut and restored. */
class Line {
  private readonly sockets = new Set<Socket>();
  private server?: Server;
  private port = 0;

  constructor(private readonly target: URL) {}

  async open(): Promise<void> {
    this.server = createServer((near) => this.join(near)).listen(this.port, '127.0.0.1');
    await new Promise((resolve) => this.server!.once('listening', resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.server!.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  private join(near: Socket): void {
    const far = connect(Number(this.target.port || 5432), this.target.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(socket.pipe(other) && socket);
      socket
        .on('error', () => other.destroy())
        .on('close', () => this.sockets.delete(socket) && other.destroy());
    }
  }
}

let database: TestDatabase;
let line: Line;
const opened: DataSource[] = [];

function registryAt(url: string, connectTimeoutMs = 5_000): DataSource {
  const registry = new DataSource(registryOptions({ url, connectTimeoutMs, applicationName: 'registry' }));
  opened.push(registry);
  return registry;
}

/** Waits until `count` backends of the registry wait for a lock. */
async function blocked(count: number): Promise<void> {
  const waiting = `SELECT pid FROM pg_stat_activity WHERE application_name = 'registry' AND wait_event_type = 'Lock'
    AND datname = current_database()`;
  while ((await database.query(waiting)).length < count);
}

/** A pool may learn of a lost connection only by its next query, so each of the two may cost one more refusal. */
async function worksAgain(store: TypeOrmTenantStore): Promise<void> {
  for (let connection = 0; connection < 2; connection += 1) {
    const answer = await store.find(ACME).catch((error: unknown) => error);
    if (answer !== undefined) expect(answer).toMatchObject(UNAVAILABLE);
  }
  expect(await store.find(ACME)).toBeUndefined();
}

beforeAll(async () => {
  database = await createTestDatabase();
});

beforeEach(async () => {
  line = new Line(new URL(database.url));
  await line.open();
});

afterEach(async () => {
  for (const registry of opened.splice(0)) if (registry.isInitialized) await registry.destroy();
  await line.cut();
});

afterAll(() => database?.drop());

it('says that the registry is unavailable when nothing listens at start, and opens when something does', async () => {
  const { url } = line;
  await line.cut();
  const registry = registryAt(url);
  const store = new TypeOrmTenantStore(registry);
  await expect(openRegistry(registry)).rejects.toMatchObject(UNAVAILABLE);
  await expect(store.find(ACME)).rejects.toMatchObject(UNAVAILABLE);
  await line.open();
  await openRegistry(registry);
  expect(await store.find(ACME)).toBeUndefined();
});

it('never answers "no such tenant" for a server that is gone, and works again when it is back', async () => {
  const registry = registryAt(line.url);
  await openRegistry(registry);
  const store = new TypeOrmTenantStore(registry);
  expect(await store.find(ACME)).toBeUndefined();
  await line.cut();
  const calls = [
    () => store.find(ACME),
    () => store.find({ by: 'id', value: NOBODY }),
    () => store.find({ by: 'domain', value: 'acme.example' }),
    () => store.list({ limit: 10 }),
    () => store.update(NOBODY, { name: 'X' }),
    () => store.remove(NOBODY),
    () => store.addDomain(NOBODY, 'acme.example'),
    () => store.removeDomain(NOBODY, 'acme.example'),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject(UNAVAILABLE);
  await line.open();
  for (const call of calls) await call();
});

it('survives the termination of its idle connections', async () => {
  const registry = registryAt(line.url);
  await openRegistry(registry);
  const store = new TypeOrmTenantStore(registry);
  const terminated = await database.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE application_name = 'registry' AND datname = current_database()`,
  );
  expect(terminated.length).toBeGreaterThan(0);
  await worksAgain(store);
});

it('says so when a connection is terminated under a look-up or a change, and goes on', async () => {
  const registry = registryAt(line.url);
  await openRegistry(registry);
  const store = new TypeOrmTenantStore(registry);
  const other = await registryAt(database.url).initialize();
  const lock = other.createQueryRunner();
  await lock.startTransaction();
  await lock.query('LOCK TABLE tenancy.tenants IN ACCESS EXCLUSIVE MODE');
  const calls = [store.find(ACME), store.update(NOBODY, { name: 'X' })];
  const outcomes = Promise.allSettled(calls);
  await blocked(2);
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'registry' AND wait_event_type = 'Lock' AND datname = current_database()`,
  );
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
  }
  await lock.rollbackTransaction();
  await lock.release();
  await worksAgain(store);
});

it('says so when both connections stay lent for longer than the time to wait for one', async () => {
  const registry = registryAt(line.url, 300);
  await openRegistry(registry);
  const store = new TypeOrmTenantStore(registry);
  const holders = [registry.createQueryRunner(), registry.createQueryRunner()];
  for (const holder of holders) await holder.connect();
  await expect(store.find(ACME)).rejects.toMatchObject(UNAVAILABLE);
  for (const holder of holders) await holder.release();
  expect(await store.find(ACME)).toBeUndefined();
});

it('says so after the registry was closed', async () => {
  const registry = registryAt(line.url);
  await openRegistry(registry);
  const store = new TypeOrmTenantStore(registry);
  await registry.destroy();
  await expect(store.find(ACME)).rejects.toMatchObject(UNAVAILABLE);
});

it('passes other errors on as they are', async () => {
  const registry = registryAt(line.url);
  await openRegistry(registry);
  await database.query('ALTER SCHEMA tenancy RENAME TO elsewhere');
  await expect(new TypeOrmTenantStore(registry).find(ACME)).rejects.toMatchObject({ code: '42P01' });
  await database.query('ALTER SCHEMA elsewhere RENAME TO tenancy');
  const wrong = new URL(database.url);
  wrong.pathname = '/no_such_database';
  await expect(openRegistry(registryAt(wrong.href))).rejects.toMatchObject({ code: '3D000' });
});
