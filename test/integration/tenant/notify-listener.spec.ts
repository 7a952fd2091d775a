import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import { type Clock, systemClock } from '../../../lib/common/clock';
import { TenantChangesListener } from '../../../lib/registry/changes/tenant-changes-listener';
import { TenantChangesSession } from '../../../lib/registry/changes/tenant-changes-session';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { tapWire, type WireTap } from '../../support/wire-tap';

const CHANNEL = 'tenancy:tenants';

/** Timers go off twenty times as fast: what takes minutes is over in seconds. */
const HASTY: Clock = {
  now: () => systemClock.now(),
  after: (ms, work) => systemClock.after(ms / 20, work),
};

let database: TestDatabase;
let wire: WireTap;
const listeners: TenantChangesListener[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  wire = await tapWire(database.url);
});
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.onModuleDestroy();
  await wire.close();
});
afterAll(() => database.drop());

interface Setup {
  readonly url?: string;
  readonly clock?: Clock;
  readonly notify?: (channel: string, payload: string) => Promise<unknown>;
}

function listen({ url = wire.url, clock, notify = tell }: Setup = {}) {
  const heard: string[] = [];
  const options = {
    connection: { connectionString: url, connectionTimeoutMillis: 5_000 },
    channel: CHANNEL,
    notify,
  };
  const listener = new TenantChangesListener(
    (events, time) => new TenantChangesSession(options, events, time),
    clock,
  );
  listener.subscribe({
    begun: () => void heard.push('begun'),
    changed: (id) => void heard.push(id ?? 'all'),
  });
  listeners.push(listener);
  listener.onModuleInit();
  return { listener, heard };
}

const tell = (channel: string, payload: string) =>
  database.query('SELECT pg_notify($1, $2)', [channel, payload]);

/** Looks again and again until it is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until everything that was committed before now has been told; gives how long that took. */
async function proven(listener: TenantChangesListener): Promise<number> {
  const now = performance.now();
  await until(() => listener.provenAt >= now);
  return performance.now() - now;
}

const backends = () =>
  database.query(
    `SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()`,
  );

describe('The listener', () => {
  it('hears of changes in their order, and proves twice a second that it does', async () => {
    const { listener, heard } = listen();
    await proven(listener);
    await tell(CHANNEL, 'one');
    await tell(CHANNEL, 'two');
    await tell(CHANNEL, '');
    await tell('tenancy_beat', 'of somebody else');
    const beats: number[] = [];
    while (beats.length < 3) beats.push(await proven(listener));
    expect(Math.min(...beats)).toBeLessThan(1_000);
    expect(heard).toEqual(['begun', 'one', 'two', 'all']);
  });

  it('tells that it begins only when PostgreSQL has it on its list', async () => {
    const { listener, heard } = listen();
    await until(() => heard.length > 0);
    await tell(CHANNEL, 'one');
    await proven(listener);
    expect(heard).toEqual(['begun', 'one']);
  });

  it('proves what was committed before its beat was sent, not before it came back', async () => {
    const sentAt: number[] = [];
    const { listener } = listen({
      notify: async (channel, payload) => {
        sentAt.push(performance.now());
        await database.query('SELECT pg_sleep(0.2), pg_notify($1, $2)', [channel, payload]);
      },
    });
    await until(() => listener.provenAt > 0);
    expect(sentAt).toHaveLength(1);
    expect(listener.provenAt).toBeLessThanOrEqual(sentAt[0]);
  });

  it('comes back when its connection is cut or its backend terminated, and tells that it begins anew', async () => {
    const { listener, heard } = listen();
    await proven(listener);
    wire.cut(0);
    await proven(listener);
    await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'
      AND datname = current_database()`);
    await proven(listener);
    expect(heard).toEqual(['begun', 'begun', 'begun']);
    expect(await backends()).toHaveLength(1);
  });

  it('notices soon that a line is broken in silence, and proves nothing meanwhile', async () => {
    const { listener, heard } = listen();
    await proven(listener);
    wire.freeze();
    const frozenAt = performance.now();
    await until(() => heard.length === 2);
    expect(listener.provenAt).toBeLessThan(frozenAt);
    expect(performance.now() - frozenAt).toBeLessThan(5_000);
    await proven(listener);
  });

  it('proves nothing, and keeps its connection, while the store cannot notify or hangs', async () => {
    let outcome: 'works' | 'fails' | 'hangs' = 'works';
    let asked = 0;
    const notify = (channel: string, payload: string) => {
      asked += 1;
      if (outcome === 'hangs') return new Promise(() => undefined);
      return outcome === 'fails' ? Promise.reject(new Error('away')) : tell(channel, payload);
    };
    const { listener, heard } = listen({ notify, clock: HASTY });
    await proven(listener);
    for (outcome of ['fails', 'hangs'] as const) {
      const before = asked;
      await until(() => asked > before + 1);
      const { provenAt } = listener;
      await until(() => asked > before + 3);
      expect(listener.provenAt).toBe(provenAt);
    }
    outcome = 'works';
    await proven(listener);
    expect(heard).toEqual(['begun']);
  });

  it('waits for a server that is not there, longer each time, and warns once until it hears', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const log = jest.spyOn(Logger.prototype, 'log').mockImplementation();
    const delays: number[] = [];
    let isAway = true;
    const clock: Clock = {
      now: () => systemClock.now(),
      after: (ms, work) => {
        if (!isAway) return systemClock.after(ms, work);
        delays.push(ms);
        return systemClock.after(0, work);
      },
    };
    wire.cut();
    const { listener } = listen({ clock });
    await until(() => delays.length >= 10);
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/cannot be heard \(.*(ECONNRESET|terminated).*\)/)],
    ]);
    delays.splice(10);
    for (const [index, delay] of delays.entries()) {
      const longest = Math.min(10_000, 100 * 2 ** index);
      expect(delay).toBeGreaterThanOrEqual(longest / 2);
      expect(delay).toBeLessThanOrEqual(longest);
    }
    isAway = false;
    wire.restore();
    await until(() => log.mock.calls.length > 0);
    expect(listener.provenAt).toBeGreaterThan(0);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
    log.mockRestore();
  });

  it('never takes a connection to another database for one that hears', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const other = await createTestDatabase();
    const { listener } = listen({ url: other.url, clock: HASTY });
    await until(() => warn.mock.calls.length > 0);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('TENANCY_DIRECT_URL'));
    expect(listener.provenAt).toBe(-Infinity);
    await listener.onModuleDestroy();
    await other.drop();
    warn.mockRestore();
  });
});

describe('Its end', () => {
  it('leaves no connection, and hears no more', async () => {
    const { listener, heard } = listen();
    await proven(listener);
    await listener.onModuleDestroy();
    await until(async () => (await backends()).length === 0);
    const { provenAt } = listener;
    await tell(CHANNEL, 'late');
    expect(heard).toEqual(['begun']);
    expect(listener.provenAt).toBe(provenAt);
  });

  it('does not wait for a connection that is being made, for the next try, or for a silent line', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await until(() => silent.listening);
    const { port } = silent.address() as AddressInfo;
    const connecting = listen({ url: `postgres://nobody@127.0.0.1:${port}/nowhere` });
    await until(() => sockets.length === 1);
    const waiting = listen({ url: 'postgres://nobody@127.0.0.1:1/nowhere' });
    const frozen = listen();
    await proven(frozen.listener);
    wire.freeze();
    const start = performance.now();
    for (const { listener } of [connecting, waiting, frozen]) await listener.onModuleDestroy();
    expect(performance.now() - start).toBeLessThan(5_000);
    await until(() =>
      sockets.every((socket) => socket.destroyed || socket.readableEnded || socket.resume().readableEnded),
    );
    silent.close();
  });

  it('may come before the beginning, and twice', async () => {
    const options = { connection: {}, channel: CHANNEL, notify: tell };
    const listener = new TenantChangesListener(
      (events, clock) => new TenantChangesSession(options, events, clock),
    );
    await listener.onModuleDestroy();
    await listener.onModuleDestroy();
    listener.onModuleInit();
    expect(await backends()).toEqual([]);
  });

  it('lets the process end by itself', async () => {
    const inUse = () =>
      process
        .getActiveResourcesInfo()
        .filter((kind) => /TCPSocket|Timeout/.test(kind))
        .sort();
    const before = inUse();
    const { listener } = listen({ url: database.url });
    await proven(listener);
    await until(async () => (await backends()).length === 1);
    expect(inUse()).toEqual(before);
  });
});
