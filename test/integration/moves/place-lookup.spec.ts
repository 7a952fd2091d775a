import { randomUUID } from 'node:crypto';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { TenantConnection, TenantContext, TenantLifecycle, type Tenant } from '../../../lib';
import { LOOKUPS_DATA_SOURCE } from '../../../lib/registry/registry';
import { felt, hearing } from '../../support/change-feed';
import { Note } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { startWorld, type World } from '../servers/world';
import { startDeaf } from './deaf';

const MOVES = { waitMs: 400 };

let world: World;
let deaf: TestApp;
beforeAll(async () => {
  world = await startWorld({ moves: MOVES });
  deaf = await startDeaf(() =>
    startAppOn(world.database, { servers: { eu: { url: world.eu.url } }, moves: MOVES }),
  );
});
afterAll(async () => {
  await deaf.close();
  await world.close();
});

const as = <T>({ app }: TestApp, tenant: Tenant, work: (connection: TenantConnection) => Promise<T>) =>
  app.get(TenantContext).run(tenant, () => work(app.get(TenantConnection)));
const read = async (app: TestApp, tenant: Tenant) =>
  (await as(app, tenant, (connection) => connection.getRepository(Note).find())).map(({ text }) => text);

/** A tenant with a row, and a copy of its schema on the other server with another row. */
async function inBoth(slug: string): Promise<Tenant> {
  const tenant = await world.create({ slug });
  await as(world, tenant, (connection) => connection.getRepository(Note).save({ text: 'old place' }));
  await world.eu.query(`CREATE SCHEMA ${tenant.schemaName}`);
  await world.eu.query(`CREATE TABLE ${tenant.schemaName}.note (id serial, text text)`);
  await world.eu.query(`INSERT INTO ${tenant.schemaName}.note (text) VALUES ('new place')`);
  return tenant;
}

const hide = ({ schemaName }: Tenant) =>
  world.database.query(`ALTER SCHEMA ${schemaName} RENAME TO moved_${schemaName}`);
const point = ({ id }: Tenant) =>
  world.database.query(`UPDATE tenancy.tenants SET server = 'eu' WHERE id = $1`, [id]);

/** A move that has stopped all work. Gives what ends it. */
async function hold({ id, schemaName }: Tenant): Promise<() => Promise<unknown>> {
  const move = randomUUID();
  await world.database.query(
    `INSERT INTO tenancy.moves (id, tenant_id, schema_name, from_server, from_isolation, to_server, to_isolation, how, verify,
       state, worker) VALUES ($1, $2, $3, 'default', 'schema', 'eu', 'schema', 'stop', 'count', 'fencing', 'a test')`,
    [move, id, schemaName],
  );
  await world.database.query('UPDATE tenancy.tenants SET move_id = $2 WHERE id = $1', [id, move]);
  return () =>
    world.database.query(`UPDATE tenancy.moves SET state = 'done', finished_at = now() WHERE id = $1`, [
      move,
    ]);
}

it('follows a tenant that code has held since before its move', async () => {
  const held = await inBoth('held');
  await hide(held);
  await point(held);
  await hearing(world);
  expect(held.place.server).toBe('default');
  await expect(read(world, held)).resolves.toEqual(['new place']);
});

it('asks the registry nothing for tenants that never moved, whatever else of them is changed', async () => {
  const tenant = await world.create({ slug: 'never-moved' });
  await read(world, tenant);
  await world.app.get(TenantLifecycle).update('never-moved', { name: 'Another name' });
  await hearing(world);
  const lookups = world.app.get<DataSource>(getDataSourceToken(LOOKUPS_DATA_SOURCE));
  const asked: string[] = [];
  const query = jest.spyOn(lookups, 'query').mockImplementation((text: string) => {
    if (!text.includes('pg_notify')) asked.push(text);
    return Promise.resolve([]);
  });
  for (let count = 0; count < 5; count += 1) await read(world, tenant);
  query.mockRestore();
  expect(asked).toEqual([]);
});

it('lets work wait while the tenant changes its place, and then does it at the new one', async () => {
  const tenant = await inBoth('waiting');
  const end = await hold(tenant);
  await hearing(world);
  const rows = read(world, tenant);
  await expect(
    Promise.race([rows, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]),
  ).resolves.toBe('waits');
  await hide(tenant);
  await point(tenant);
  await end();
  await expect(rows).resolves.toEqual(['new place']);
});

it('refuses work that has waited for too long, and more of it than may wait', async () => {
  const tenant = await inBoth('too-long');
  const end = await hold(tenant);
  await hearing(world);
  const refusal = { code: 'TENANT_MOVING', statusCode: 503, headers: { 'Retry-After': '1' } };
  await expect(read(world, tenant)).rejects.toMatchObject(refusal);
  const many = await startAppOn(world.database, {
    servers: { eu: { url: world.eu.url } },
    database: { maxWaitingPerTenant: 1 },
    moves: MOVES,
  });
  try {
    // It learns of moves that began before it did.
    const isMoving = () =>
      read(many, tenant).then(
        () => false,
        ({ code }) => code === 'TENANT_MOVING',
      );
    await felt(isMoving);
    const waiting = await Promise.allSettled([1, 2, 3].map(() => read(many, tenant)));
    const codes = waiting.map((each) => (each as { reason?: { code: string } }).reason?.code);
    expect(codes).toEqual(['TENANT_MOVING', 'TENANT_BUSY', 'TENANT_BUSY']);
  } finally {
    await many.close();
    await end();
  }
});

describe('an instance that has not heard of a move', () => {
  it('gets TENANT_MOVED from PostgreSQL once, never rows, and then finds the new place', async () => {
    const tenant = await inBoth('unheard');
    await expect(read(deaf, tenant)).resolves.toEqual(['old place']);
    await hide(tenant);
    await point(tenant);
    await expect(read(deaf, tenant)).rejects.toMatchObject({
      code: 'TENANT_MOVED',
      statusCode: 503,
      headers: { 'Retry-After': '1' },
    });
    await expect(read(deaf, tenant)).resolves.toEqual(['new place']);
  });

  it('gets it in the middle of a transaction as well, and nothing of that is kept', async () => {
    const tenant = await inBoth('in-the-middle');
    await as(deaf, tenant, (connection) =>
      connection.transaction(async (manager) => {
        await manager.save(Note, { text: 'before' });
        // Another session moves the tenant as soon as it gets the table.
        const moved = hide(tenant).then(() => point(tenant));
        await moved;
        await expect(manager.find(Note)).rejects.toMatchObject({ code: 'TENANT_MOVED' });
        throw new Error('rolled back');
      }),
    ).catch((error: Error) => expect(error.message).toBe('rolled back'));
    await expect(read(deaf, tenant)).resolves.toEqual(['new place']);
    expect(
      await world.database.query(`SELECT text FROM moved_${tenant.schemaName}.note ORDER BY id`),
    ).toEqual([{ text: 'old place' }]);
  });

  it('is told of a table that is missing for another reason as before', async () => {
    const tenant = await world.create({ slug: 'stays' });
    await expect(
      as(deaf, tenant, (connection) => connection.query('SELECT FROM nowhere')),
    ).rejects.toMatchObject({ driverError: { code: '42P01' } });
    await world.database.query(`ALTER SCHEMA ${tenant.schemaName} RENAME TO lost`);
    await expect(read(deaf, tenant)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
  });
});
