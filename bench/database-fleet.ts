import { queryAt } from './bench-server';
import type { BenchEnvironment } from './bench';
import { fleetContents, makeFleet } from './fleet';
import type { Tenant } from '../lib/registry/tenant';

/** So many are made, and dropped, at once. */
const AT_ONCE = 4;

/** The fleet's tenants, each in a database of its own, on the server of the URL. They are dropped at the end. */
export async function openDatabaseFleet(
  { cleanUp }: BenchEnvironment,
  url: string,
  fleet: readonly Tenant[],
): Promise<Tenant[]> {
  const drop = ({ schemaName }: Tenant) =>
    queryAt(url, `DROP DATABASE IF EXISTS ${schemaName} WITH (FORCE)`).then(() => undefined);
  cleanUp.add(() => inTurns(fleet, drop));
  await inTurns(fleet, async (tenant) => {
    await drop(tenant);
    await queryAt(url, `CREATE DATABASE ${tenant.schemaName} TEMPLATE template0`);
    const own = Object.assign(new URL(url), { pathname: `/${tenant.schemaName}` }).href;
    await fleetContents([tenant]).build(own);
  });
  return fleet.map((tenant) => ({ ...tenant, place: { server: 'default', isolation: 'database' } }));
}

/** A fleet whose databases have names of their own on the server. */
export function makeDatabaseFleet(count: number): Tenant[] {
  return makeFleet(count).map((tenant) => ({
    ...tenant,
    schemaName: tenant.schemaName.replace('bench', 'own'),
  }));
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
