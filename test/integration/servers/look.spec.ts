import {
  type TenancyError,
  TenantConnection,
  TenantContext,
  TenantProvisioner,
  TenantStore,
  type Tenant,
} from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { startAppOn, startProvisioningApp } from '../provisioning/app';
import type { TestApp } from '../../support/test-app';
import { startWorld, type World } from './world';

const closed: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closed.splice(0).reverse()) await close();
});

function later<T extends { close(): Promise<unknown> }>(running: T): T {
  closed.push(() => running.close());
  return running;
}

async function database(): Promise<TestDatabase> {
  const made = await createTestDatabase();
  closed.push(() => made.drop());
  return made;
}

/** What was found wanting is left alone for a second. */
async function until(works: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return void (await works());
    } catch (error) {
      if (tries === 40) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const create = ({ app }: TestApp, slug: string, server: string): Promise<Tenant> =>
  app.get(TenantProvisioner).create({ slug }, { place: { server } });
const ask = ({ app }: TestApp, tenant: Tenant) =>
  app.get(TenantContext).run(tenant, () => app.get(TenantConnection).query('SELECT 1 AS one'));

it('serves all others while a server is away, and its tenants when it is back', async () => {
  const world: World = later(await startWorld({}, (_eu, way) => way.cut()));
  const home = await create(world, 'home', 'default');
  const refusal = (await create(world, 'acme', 'eu').catch((error: unknown) => error)) as TenancyError;
  // The name of the server is for the log.
  expect(refusal.message).toContain('The server "eu" is not available');
  expect([refusal.getResponse(), refusal.headers]).toEqual([
    {
      ...{ statusCode: 503, code: 'TENANCY_UNAVAILABLE' },
      message: 'The database of this tenant is not available right now. Try again shortly.',
    },
    { 'Retry-After': '1' },
  ]);
  expect(await world.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: 'acme' })).toBeUndefined();
  await expect(ask(world, home)).resolves.toEqual([{ one: 1 }]);
  await world.way.mend();
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const acme = await create(world, 'acme', 'eu');
  await expect(ask(world, acme)).resolves.toEqual([{ one: 1 }]);
  await world.way.cut();
  // The first may still be given a connection of which nobody knows that it is cut.
  await ask(world, acme).catch(() => undefined);
  await expect(ask(world, acme)).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE', statusCode: 503 });
  await expect(ask(world, home)).resolves.toEqual([{ one: 1 }]);
  await world.way.mend();
  await until(() => ask(world, acme));
});

it('looks again at a server that was lost, and sends nothing to one that has come in its place', async () => {
  const world: World = later(await startWorld());
  const acme = await create(world, 'acme', 'eu');
  const other = await database();
  await other.query(`CREATE SCHEMA "${acme.schemaName}"`);
  const answer = () => ask(world, acme).catch(({ code }: TenancyError) => code);
  await world.way.cut();
  world.way.leadTo(other);
  await world.way.mend();
  const answers: unknown[] = [];
  while (answers.at(-1) !== 'SERVER_MISMATCH' && answers.length < 1_000) answers.push(await answer());
  // Without a code: the statement on a connection that was just cut.
  expect([...new Set(answers)].filter((code) => code && code !== 'TENANCY_UNAVAILABLE')).toEqual([
    'SERVER_MISMATCH',
  ]);
  await world.way.cut();
  world.way.leadTo(world.eu);
  await world.way.mend();
  await until(() => ask(world, acme));
});

it('sends nothing to a server that is another one than before', async () => {
  const [home, eu, other] = [await database(), await database(), await database()];
  const first = await startAppOn(home, { servers: { eu: { url: eu.url } } });
  const acme = await create(first, 'acme', 'eu');
  await first.close();
  const second = later(await startAppOn(home, { servers: { eu: { url: other.url } } }));
  await expect(ask(second, acme)).rejects.toMatchObject({
    code: 'SERVER_MISMATCH',
    statusCode: 503,
    message: expect.stringContaining('has none of the tables that this server has had'),
  });
  expect(await other.query(`SELECT FROM pg_namespace WHERE nspname IN ('tenancy', 'template')`)).toEqual([]);
});

describe('a URL that leads elsewhere is refused, and nothing is written there', () => {
  const refusal = async (servers: Record<string, { url: string }>, home?: TestDatabase) => {
    const app = later(home ? await startAppOn(home, { servers }) : await startProvisioningApp({ servers }));
    const name = Object.keys(servers)[0];
    return create(app, 'acme', name).catch((error: Error) => error.message);
  };

  it('to the registry itself', async () => {
    const home = await database();
    const url = new URL(home.url);
    url.searchParams.set('application_name', 'other');
    await expect(refusal({ eu: { url: url.href } }, home)).resolves.toContain(
      'it is the database of the registry',
    );
  });

  it('to the database of another registry', async () => {
    const other = later(await startProvisioningApp());
    await expect(refusal({ eu: { url: other.database.url } })).resolves.toContain(
      'belongs to another registry',
    );
  });

  it('to the registry of an earlier version', async () => {
    const other = later(await startProvisioningApp());
    await other.database.query(
      'ALTER TABLE tenancy.registry_identity DROP COLUMN server_id, DROP COLUMN server',
    );
    await expect(refusal({ eu: { url: other.database.url } })).resolves.toContain(
      'belongs to another registry',
    );
    expect(
      await other.database.query(
        `SELECT FROM pg_attribute WHERE attrelid = 'tenancy.registry_identity'::regclass AND attname = 'server_id' AND NOT attisdropped`,
      ),
    ).toEqual([]);
  });

  it('to a server of another name', async () => {
    const [home, eu] = [await database(), await database()];
    const first = await startAppOn(home, { servers: { eu: { url: eu.url } } });
    await create(first, 'acme', 'eu');
    await first.close();
    await expect(refusal({ us: { url: eu.url } }, home)).resolves.toContain('it is the server "eu"');
  });

  it('to a server whose identity is another', async () => {
    const [home, eu] = [await database(), await database()];
    const first = await startAppOn(home, { servers: { eu: { url: eu.url } } });
    await create(first, 'acme', 'eu');
    await first.close();
    await eu.query('UPDATE tenancy.registry_identity SET server_id = gen_random_uuid()');
    await expect(refusal({ eu: { url: eu.url } }, home)).resolves.toContain(
      'it is another server than the one',
    );
  });
});

it('says 503 for a tenant of a server that the options do not name', async () => {
  const [home, eu] = [await database(), await database()];
  const first = await startAppOn(home, { servers: { eu: { url: eu.url } } });
  const acme = await create(first, 'acme', 'eu');
  await first.close();
  const second = later(await startAppOn(home));
  await expect(ask(second, acme)).rejects.toMatchObject({ code: 'SERVER_UNKNOWN', statusCode: 503 });
});

it('does not serve from a session whose path is not empty', async () => {
  const world: World = later(
    await startWorld({}, async (eu) => {
      const name = new URL(eu.url).pathname.slice(1);
      await eu.query(`ALTER DATABASE "${name}" SET search_path = public`);
    }),
  );
  // The start-up option of the connection wins over the database's setting.
  await expect(create(world, 'acme', 'eu')).resolves.toMatchObject({ status: 'active' });
});

it('is made ready by ten instances at once', async () => {
  const [home, eu] = [await database(), await database()];
  const apps = await Promise.all(
    Array.from({ length: 10 }, () => startAppOn(home, { servers: { eu: { url: eu.url } } })),
  );
  for (const app of apps) later(app);
  const made = await Promise.all(apps.map((app, i) => create(app, `tenant-${i}`, 'eu')));
  expect(made.every(({ place }) => place.server === 'eu')).toBe(true);
  expect(await home.query('SELECT name FROM tenancy.servers')).toEqual([{ name: 'eu' }]);
});

it('keeps one of two databases that two instances call by one new name', async () => {
  const [home, one, two] = [await database(), await database(), await database()];
  const apps = await Promise.all(
    [one, two].map((eu) => startAppOn(home, { servers: { eu: { url: eu.url } } })),
  );
  for (const app of apps) later(app);
  const made = await Promise.all(
    apps.map((app, index) => create(app, `tenant-${index}`, 'eu').catch(({ code }: TenancyError) => code)),
  );
  const loser = made.indexOf('SERVER_MISMATCH');
  expect([loser, made[1 - loser]]).toEqual([
    expect.any(Number),
    expect.objectContaining({ status: 'active' }),
  ]);
  expect(loser).toBeGreaterThanOrEqual(0);
  // What it has got is empty tables of ours, which are to be dropped there by hand.
  const [wrong, right] = loser === 0 ? [one, two] : [two, one];
  expect(
    await wrong.query(`SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^(t_|template|tenancy)'`),
  ).toEqual([{ name: 'tenancy' }]);
  await expect(ask(apps[loser], made[1 - loser] as Tenant)).rejects.toMatchObject({
    code: 'SERVER_MISMATCH',
  });
  await expect(ask(apps[1 - loser], made[1 - loser] as Tenant)).resolves.toEqual([{ one: 1 }]);
  expect(await right.query(`SELECT FROM pg_namespace WHERE nspname = 'template'`)).toHaveLength(1);
});

it('ends work that crosses between two pools of one connection, and serves afterwards', async () => {
  const world: World = later(await startWorld({ database: { poolSize: 1, connectTimeoutMs: 2_000 } }));
  const [home, acme] = [await create(world, 'home', 'default'), await create(world, 'acme', 'eu')];
  const transactions = world.app.get(TenantConnection);
  let holders = 0;
  let both!: () => void;
  const bothHold = new Promise<void>((resolve) => (both = resolve));
  /** Keeps the connection of one server, and asks for that of the other when both are taken. */
  const cross = (from: Tenant, to: Tenant) =>
    world.app.get(TenantContext).run(from, () =>
      transactions.transaction(async (manager) => {
        await manager.query('SELECT 1');
        if (++holders === 2) both();
        await bothHold;
        return ask(world, to);
      }),
    );
  const outcomes = await Promise.allSettled([cross(home, acme), cross(acme, home)]);
  const refused = outcomes.flatMap((each) =>
    each.status === 'rejected' ? [each.reason as TenancyError] : [],
  );
  expect(refused.length).toBeGreaterThan(0);
  for (const { statusCode } of refused) expect(statusCode).toBe(503);
  await expect(ask(world, home)).resolves.toEqual([{ one: 1 }]);
  await expect(ask(world, acme)).resolves.toEqual([{ one: 1 }]);
});
