import { type Clock, systemClock } from '../../lib/common/clock';
import { TenantChangesListener } from '../../lib/registry/changes/tenant-changes-listener';
import { TenantChangesSession } from '../../lib/registry/changes/tenant-changes-session';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type PgBouncerSettings, startAnotherPgBouncer } from '../support/system/pgbouncer';

/** Timers go off ten times as fast. */
const HASTY: Clock = {
  now: () => systemClock.now(),
  after: (ms, work) => systemClock.after(ms / 10, work),
};

describe('Behind PgBouncer the change feed', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  async function behind(
    changes: PgBouncerSettings,
    look: (listener: TenantChangesListener, begun: () => number) => Promise<void>,
  ): Promise<void> {
    const pooler = await startAnotherPgBouncer(changes);
    let begun = 0;
    const session = {
      connection: { connectionString: database.urlOn(pooler.url) },
      channel: 'tenancy:tenants',
      notify: (channel: string, payload: string) =>
        database.query('SELECT pg_notify($1, $2)', [channel, payload]),
    };
    const listener = new TenantChangesListener(
      (events, clock) => new TenantChangesSession(session, events, clock),
      HASTY,
    );
    listener.subscribe({ begun: () => void (begun += 1), changed: () => undefined });
    listener.onModuleInit();
    try {
      await look(listener, () => begun);
    } finally {
      await listener.onModuleDestroy();
      await pooler.stop();
    }
  }

  it.each<[string, PgBouncerSettings]>([
    ['one session', { default_pool_size: 1 }],
    ['many sessions', { default_pool_size: 20 }],
  ])('is never taken for one that hears, in transaction mode with %s', (_kind, changes) =>
    behind(changes, async (listener, begun) => {
      while (begun() < 4) await new Promise((resolve) => setImmediate(resolve));
      expect(listener.provenAt).toBe(-Infinity);
    }),
  );

  it('hears in session mode', () =>
    behind({ pool_mode: 'session' }, async (listener) => {
      while (listener.provenAt < 0) await new Promise((resolve) => setImmediate(resolve));
    }));
});
