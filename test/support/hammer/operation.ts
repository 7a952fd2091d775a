import type { PoolClient } from 'pg';
import type { Tenant } from '../../../lib';
import type { HammerCall, HammerOperation } from '../../../lib/testing';
import type { HammerInstance } from './hammer-world';
import { KEYS } from './shop';

/** What one operation in the process works with. It runs for `call.tenant`. */
export interface OperationWorld extends HammerInstance {
  readonly call: HammerCall<Tenant>;
}

export type Operation = (world: OperationWorld) => Promise<unknown>;

export type Row = { readonly owner: string };

export const READ = 'SELECT owner FROM account WHERE id = $1';
export const READ_ALL = 'SELECT owner FROM account';
export const INSERT = 'INSERT INTO entry (stamp) VALUES ($1)';

export const key = ({ call }: OperationWorld): number => 1 + call.random.integer(KEYS);
export const half = ({ call }: OperationWorld): boolean => call.random.next() < 0.5;

/** Rows of accounts: there is always one, and it is the tenant's own. */
export function check({ call }: OperationWorld, rows: readonly unknown[], how: string): void {
  if (rows.length === 0) call.wrong(`found none of its rows (${how})`);
  call.see(rows, how);
}

export async function withClient(
  world: OperationWorld,
  work: (client: PoolClient) => Promise<unknown>,
): Promise<void> {
  const client = await world.pool.connect();
  try {
    await work(client);
  } finally {
    client.release();
  }
}

/** Passes when `work` is refused with this code. With another error, a fault's, it fails; with none it is wrong. */
export async function refused(
  world: OperationWorld,
  code: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const how = `was to be refused with ${code}`;
  try {
    world.call.see(await work(), how);
  } catch (error) {
    const { code: actual, driverError } = error as { code?: string; driverError?: { code?: string } };
    if (actual === code || driverError?.code === code) return;
    throw error;
  }
  world.call.wrong(how);
}

/** Operations of any instance, run for their tenant. */
export function inProcess(
  instances: readonly HammerInstance[],
  operations: Readonly<Record<string, Operation>>,
): Record<string, HammerOperation<Tenant>> {
  const kinds = Object.entries(operations).map(([name, operation]) => [
    name,
    (call: HammerCall<Tenant>) => {
      const instance = call.random.pick(instances);
      return instance.context.run(call.tenant, () => operation({ ...instance, call }));
    },
  ]);
  return Object.fromEntries(kinds) as Record<string, HammerOperation<Tenant>>;
}
