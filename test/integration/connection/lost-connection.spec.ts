import { DataSource } from 'typeorm';
import { getDataSourceToken } from '@nestjs/typeorm';
import { TenantConnection, TenantContext, TenantStore, TenantTransactions } from '../../../lib';
import { isOutage } from '../../../lib/common/outage';
import type { TenantPool } from '../../../lib/connection/pool/tenant-pool';
import { DEFAULT_SERVER } from '../../../lib/placement/place';
import { REGISTRY_DATA_SOURCE } from '../../../lib/registry/registry';
import { inRegistry } from '../../../lib/registry/store/registry-transaction';
import { type ProvisioningApp, startProvisioningApp } from '../provisioning/app';

interface Queryable {
  query(sql: string): Promise<unknown>;
}

describe('A connection that is lost while a transaction waits for its code', () => {
  let running: ProvisioningApp;
  const connection = () => running.app.get(TenantConnection);
  const registry = () => running.app.get<DataSource>(getDataSourceToken(REGISTRY_DATA_SOURCE));

  beforeAll(async () => {
    running = await startProvisioningApp({ database: { poolSize: 1 } });
    await running.create({ slug: 'acme' });
  });
  afterAll(() => running.close());

  /** Resolves when this process has heard of it, so that no statement is under way then. */
  async function lose(executor: Queryable, pool: unknown) {
    const [{ pid }] = (await executor.query('SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
    const { _clients: clients } = pool as {
      _clients: { processID: number; once(event: 'end', heard: () => void): void }[];
    };
    const client = clients.find(({ processID }) => processID === pid)!;
    const gone = new Promise<void>((resolve) => client.once('end', resolve));
    await running.database.query('SELECT pg_terminate_backend($1)', [pid]);
    await gone;
  }
  const poolOf = ({ driver }: DataSource) => (driver as unknown as { master: unknown }).master;
  const loseTenants = (executor: Queryable) => {
    const { servers } = poolOf(connection().dataSource) as TenantPool;
    return lose(executor, servers.get(DEFAULT_SERVER)!.sessions.pools[0]);
  };
  const loseRegistrys = (executor: Queryable) => lose(executor, poolOf(registry()));

  it.each<[string, (then: (executor: Queryable) => Promise<unknown>) => Promise<unknown>]>([
    [
      'TenantConnection.transaction()',
      (then) =>
        connection().transaction(async (manager) => {
          await loseTenants(manager);
          await then(manager);
        }),
    ],
    [
      'TenantTransactions.run()',
      (then) =>
        running.app.get(TenantTransactions).run(async () => {
          await loseTenants(connection());
          await then(connection());
        }),
    ],
    [
      'the registry',
      (then) =>
        inRegistry(registry(), async (manager) => {
          await loseRegistrys(manager);
          await then(manager);
        }),
    ],
  ])(
    'is an outage, and no misuse of a released connection, for the next statement and for COMMIT: %s',
    async (_what, run) => {
      const context = running.app.get(TenantContext);
      const acme = (await running.app.get(TenantStore).find({ by: 'slug', value: 'acme' }))!;
      for (const then of [(executor: Queryable) => executor.query('SELECT 1'), () => Promise.resolve()]) {
        const error: unknown = await context.run(acme, () => run(then)).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(Error);
        // Nothing was under way, so nothing is unknown.
        expect(error).not.toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' });
        expect(isOutage(error)).toBe(true);
        // The place in the pool is free again.
        await expect(context.run(acme, () => connection().query('SELECT 1 AS one'))).resolves.toEqual([
          { one: 1 },
        ]);
      }
    },
  );
});
