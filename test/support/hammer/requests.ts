import type { Tenant } from '../../../lib';
import type { HammerOperation, HttpHammer } from '../../../lib/testing';
import { KEYS } from './shop';

/** Operations over HTTP: of `ShopController`. */
export function requests(http: HttpHammer<Tenant>): Record<string, HammerOperation<Tenant>> {
  const body = ({ stamp }: { readonly stamp: string }) => ({ stamp });
  return {
    getAccounts: http.read(() => ({ path: '/accounts' })),
    getAccount: http.read(({ random }) => ({ path: `/accounts/${1 + random.integer(KEYS)}` })),
    getSlowAccounts: http.read(() => ({ path: '/slow-accounts' })),
    getAccountsBeside: async (call) => {
      const path = `/accounts-beside/${call.other.slug}`;
      const { status, text } = await http.send(call, { path });
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      const { ours, theirs } = JSON.parse(text) as { ours: unknown; theirs: unknown };
      call.see(ours, path);
      call.see(theirs, path, call.other);
    },
    postEntry: http.write((call) => ({ method: 'POST', path: '/entries', body: body(call) })),
    postAllOrNone: http.write((call) => ({ method: 'POST', path: '/entries/all-or-none', body: body(call) })),
    postFailing: http.rolledBack((call) => ({ method: 'POST', path: '/entries/failing', body: body(call) })),
    postFailingPart: http.rolledBack((call) => ({
      method: 'POST',
      path: '/entries/failing-part',
      body: body(call),
    })),
  };
}
