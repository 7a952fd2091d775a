import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import { type Tenant, TenantConnection, TenantContext, TenantProvisioner } from '../../../lib';
import { startAppOn } from '../provisioning/app';
import type { TestApp } from '../../support/test-app';
import { startWorld, type World } from './world';

const closed: (() => Promise<unknown>)[] = [];
let world: World;
let acme: Tenant;
let home: Tenant;
beforeEach(async () => {
  world = await startWorld();
  closed.push(() => world.close());
  [acme, home] = [await create('acme', 'eu'), await create('home', 'default')];
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closed.splice(0).reverse()) await close();
});

const create = (slug: string, server: string, { app }: TestApp = world) =>
  app.get(TenantProvisioner).create({ slug }, { place: { server } });
const ask = (tenant: Tenant, { app }: TestApp = world, sql = 'SELECT 1 AS one') =>
  app.get(TenantContext).run(tenant, () => app.get(TenantConnection).query(sql));
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'served',
    ({ code }: { code?: string }) => code,
  );

it('runs nothing for a tenant whose place is not where its schema is', async () => {
  const at = (tenant: Tenant, place: unknown) => codeOf(ask({ ...tenant, place } as Tenant));
  expect(await at(acme, { server: 'us', isolation: 'schema' })).toBe('SERVER_UNKNOWN');
  expect(await at(acme, { server: '__proto__', isolation: 'schema' })).toBe('SERVER_UNKNOWN');
  expect(await at(acme, { server: 'default', isolation: 'schema' })).toBe('TENANT_MOVED');
  expect(await at(home, { server: 'eu', isolation: 'schema' })).toBe('TENANT_MOVED');
  // By then its place was looked up, and what is newest counts.
  expect(await at(acme, undefined)).toBe('served');
});

it('serves a tenant whose place says no isolation, as stores of applications have it', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn');
  for (const [tenant, place] of [
    [acme, { server: 'eu' }],
    [home, { server: 'default' }],
    [home, undefined],
    [home, null],
  ] as const)
    await expect(ask({ ...tenant, place } as Tenant)).resolves.toEqual([{ one: 1 }]);
  expect(warn).not.toHaveBeenCalled();
});

it('serves nobody from a server that takes no writes, and says so once', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn');
  const name = new URL(world.eu.url).pathname.slice(1);
  await world.eu.query(`ALTER DATABASE "${name}" SET default_transaction_read_only = on`);
  const second = await startAppOn(world.database, { servers: { eu: { url: world.eu.url } } });
  closed.push(() => second.close());
  expect(await codeOf(ask(acme, second))).toBe('SERVER_NOT_READY');
  expect(await codeOf(create('new', 'eu', second))).toBe('SERVER_NOT_READY');
  expect(await codeOf(ask(home, second))).toBe('served');
  const told = warn.mock.calls.map(([text]) => String(text)).filter((text) => text.includes('get 503'));
  expect(told).toHaveLength(1);
  expect(told[0].match(/takes no writes/g)).toHaveLength(1);
});

it('lets no more of a tenant wait for the first look at a server than for its connections', async () => {
  const sockets = new Set<Socket>();
  const mute = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  closed.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => mute.close(resolve));
  });
  const url = `postgres://u:hush@127.0.0.1:${(mute.address() as AddressInfo).port}/x`;
  const quick = { connectAttempts: 1, connectTimeoutMs: 1_000 };
  const second = await startAppOn(world.database, {
    database: { url: world.database.url, ...quick, poolSize: 1, maxWaitingPerTenant: 5 },
    servers: { eu: { url } },
  });
  closed.push(() => second.close());
  // The look of the start has failed, and is remembered for a second.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const flood = Array.from({ length: 50 }, () => codeOf(ask(acme, second)));
  expect(await codeOf(ask(home, second))).toBe('served');
  const codes = await Promise.all(flood);
  expect(codes.filter((code) => code === 'TENANT_BUSY')).toHaveLength(44);
  expect(codes.filter((code) => code === 'TENANCY_UNAVAILABLE')).toHaveLength(6);
});
