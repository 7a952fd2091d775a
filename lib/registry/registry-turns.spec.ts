import type { Pool, PoolClient } from 'pg';
import { poolInTurns, RegistryTurns } from './registry-turns';

type Connect = (error: undefined, client: PoolClient, release: () => void) => void;

/** A pool of one connection, which can be told to fail. */
class OnePool {
  readonly options = { max: 1 };
  static failure: Error | undefined;

  connect(callback: Connect): void {
    if (OnePool.failure) throw OnePool.failure;
    callback(undefined, {} as PoolClient, () => undefined);
  }
}

it('The registry tells who waits, not who releases, that no connection could be made', async () => {
  const Turns = poolInTurns(OnePool as unknown as typeof Pool, {
    turns: new RegistryTurns(),
    maxWaitingPerTenant: 1,
  });
  const pool = new Turns();
  const held = await pool.connect();
  const waiting = pool.connect();
  OnePool.failure = new Error('no client');
  expect(() => held.release()).not.toThrow();
  await expect(waiting).rejects.toThrow('no client');
  OnePool.failure = undefined;
  await expect(pool.connect()).resolves.toBeDefined();
});
