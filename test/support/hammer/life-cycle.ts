import type { Tenant } from '../../../lib';
import { type HammerCall, type HammerOperation, HttpHammer } from '../../../lib/testing';
import type { HammerInstance } from './hammer-world';

/** A change is felt within a second by instances that cannot hear of it. Busy machines get more. */
const FELT_WITHIN_MS = 10_000;

/** The faults of the hammer may hit these, too. */
const MAX_TRIES = 20;

export const headersOf = ({ slug }: Tenant): Record<string, string> => ({ 'x-tenant-id': slug });

/** Suspensions and deletions in the middle of the work, each felt by every instance before it is taken back. */
export function lifeCycle(instances: readonly HammerInstance[]): Record<string, HammerOperation<Tenant>> {
  const clients = instances.map(
    ({ url }) => new HttpHammer<Tenant>({ urls: [url], headersOf, hangUpRate: 0 }),
  );
  const underWay = new Set<Tenant>();

  const isServed = async (call: HammerCall<Tenant>, client: HttpHammer<Tenant>): Promise<boolean> =>
    (await client.send(call, { path: '/accounts' })).status === 200;

  const interrupt =
    (change: 'suspend' | 'delete', back: 'activate' | 'restore') =>
    async (call: HammerCall<Tenant>): Promise<void> => {
      const { tenant, random } = call;
      if (underWay.has(tenant)) return;
      underWay.add(tenant);
      const chosen = random.integer(instances.length);
      const { lifecycle } = instances[chosen];
      try {
        await lifecycle[change](tenant.id);
        if (await isServed(call, clients[chosen])) call.wrong(`was served right after ${change}`);
        const until = performance.now() + FELT_WITHIN_MS;
        for (const client of clients) {
          while (await isServed(call, client))
            if (performance.now() > until) return call.wrong(`was served long after ${change}`);
        }
      } finally {
        await insist(() => lifecycle[back](tenant.id));
        underWay.delete(tenant);
      }
    };

  return { suspend: interrupt('suspend', 'activate'), delete: interrupt('delete', 'restore') };
}

/** A change that has to be made, whatever the faults hit. */
export async function insist(attempt: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await attempt();
      return;
    } catch (error) {
      // It was not changed in the first place.
      if ((error as { code?: string }).code === 'INVALID_TRANSITION') return;
      if (tries === MAX_TRIES) throw error;
    }
  }
}
