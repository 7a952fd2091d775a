import type { PoolClient } from 'pg';
import { type Tenant, TenantConnection, TenantContext, TenantProvisioner, TenantSweeper } from '../../lib';
import { SpareRefill } from '../../lib/provisioning/spares/spare-refill';
import type { TenantPool } from '../../lib/connection/pool/tenant-pool';
import { type ProvisioningApp, startProvisioningApp } from '../integration/provisioning/app';
import { createTestDatabase, type TestDatabase } from '../support/database';

/** The registry is reached directly; the pooler stands before the other server alone. */
describe('A further server behind PgBouncer in transaction mode', () => {
  let eu: TestDatabase;
  let world: ProvisioningApp;
  let pool: TenantPool;
  let tenants: Tenant[];

  beforeAll(async () => {
    eu = await createTestDatabase();
    world = await startProvisioningApp({
      servers: { eu: { url: eu.poolUrl, directUrl: eu.url } },
      sweeper: { intervalMs: 0, orphanAfterMs: 0 },
      spares: { count: 2 },
    });
    await world.app.get(SpareRefill).refill();
    const { dataSource } = world.app.get(TenantConnection);
    pool = (dataSource.driver as unknown as { master: TenantPool }).master;
    const provisioner = world.app.get(TenantProvisioner);
    tenants = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        provisioner.create({ slug: `t${i}` }, { place: { server: i % 2 ? 'eu' : 'default' } }),
      ),
    );
    for (const tenant of tenants)
      await borrow(tenant, (client) => client.query('INSERT INTO note (text) VALUES ($1)', [tenant.slug]));
  });
  afterAll(async () => {
    await world?.close();
    await eu?.drop();
  });

  async function borrow<T>(tenant: Tenant, work: (client: PoolClient) => Promise<T>): Promise<T> {
    return world.app.get(TenantContext).run(tenant, async () => {
      const client = await pool.connect();
      try {
        return await work(client);
      } finally {
        client.release();
      }
    });
  }

  it('is known to share its sessions, and the registry’s server to have its own', () => {
    expect(pool.servers.get('eu')!.hasOwnSessions).toBe(false);
    expect(pool.hasOwnSessions).toBe(true);
  });

  it('keeps tenants apart in named statements, transactions and after what stays in a session', async () => {
    const read = { name: 'all notes', text: 'SELECT text FROM note' };
    const work = async (tenant: Tenant, turn: number): Promise<string[]> =>
      borrow(tenant, async (client) => {
        if (turn % 3 === 1) await client.query('BEGIN');
        if (turn % 7 === 2) await client.query(`SET TimeZone = 'Asia/Tokyo'`);
        const { rows } = await client.query<{ text: string }>(turn % 2 ? read : read.text);
        if (turn % 3 === 1) await client.query('COMMIT');
        const zone = await client.query<{ TimeZone: string }>('SHOW TimeZone');
        if (turn % 7 !== 2 && zone.rows[0].TimeZone === 'Asia/Tokyo') return ['a setting of another'];
        return rows.map(({ text }) => text);
      });
    const wrong: string[] = [];
    const turns = Array.from({ length: 600 }, (_, i) => i).values();
    const worker = async () => {
      for (const turn of turns) {
        const tenant = tenants[turn % tenants.length];
        const seen = await work(tenant, turn);
        if (seen.join() !== tenant.slug) wrong.push(`${tenant.slug} saw ${seen.join()}`);
      }
    };
    await Promise.all(Array.from({ length: 12 }, worker));
    expect(wrong).toEqual([]);
  });

  it('is swept, and gets spares, through the pooler', async () => {
    await world.app.get(SpareRefill).refill();
    expect((await world.app.get(TenantSweeper).sweep()).problems).toEqual([]);
    expect(await eu.query('SELECT FROM tenancy.spares')).toHaveLength(2);
  });
});
