import { messageOf } from '../common/error-message';
import { Found } from './adapter/adapter-check';
import { checksOfState } from './adapter/state-checks';
import type { AdapterFinding, TenantAdapter } from './adapter/tenant-adapter';
import { checksOfWork } from './adapter/work-checks';
import { testTenants } from './test-tenants';

/**
 * What is wrong with an adapter: how it mixes tenants, loses them, or works for none. An empty list when it keeps the
 * contract of docs/adapters.md. Makes five tenants, and purges them. Needs no test framework:
 * `expect(await checkTenantAdapter({ app, put, get })).toEqual([])`.
 *
 * @throws TypeError when there is nothing to check: neither `put` with `get`, nor `enter`
 * @throws the errors of `TestTenants.make()`
 */
export async function checkTenantAdapter(adapter: TenantAdapter): Promise<AdapterFinding[]> {
  const { put, get, enter } = adapter;
  if (!(put && get) && !enter)
    throw new TypeError('checkTenantAdapter() takes put and get, or enter, or all three.');
  const tenants = testTenants(adapter);
  try {
    const pair = { acme: await tenants.make(), globex: await tenants.make() };
    const checks = [
      ...(put && get ? checksOfState({ ...adapter, put, get }, tenants, pair) : []),
      ...(enter ? checksOfWork({ ...adapter, enter }, tenants, pair) : []),
    ];
    const findings: AdapterFinding[] = [];
    for (const { name, run } of checks)
      await run().catch((error: unknown) => {
        const why = error instanceof Found ? '' : 'it failed: ';
        findings.push({
          check: name,
          finding: why + messageOf(error),
        });
      });
    return findings;
  } finally {
    await tenants.dropAll();
  }
}
