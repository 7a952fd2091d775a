import { listed } from '../../common/listed';
import type { Orphans } from '../../provisioning/purge/orphans';
import { type Finding, ok, problem } from './finding';

const CHECK = 'store';

/** Whether the application's own store knows a tenant of each schema that this registry has made. */
export async function checkStore(orphans: Orphans, servers: readonly string[]): Promise<Finding[]> {
  try {
    const found: string[] = [];
    for (const server of servers) found.push(...(await orphans.find(server)).ours);
    if (found.length === 0) return [ok(CHECK, 'it knows a tenant of each schema')];
    return [
      problem(
        CHECK,
        `it knows no tenant of ${found.length} ${found.length === 1 ? 'schema' : 'schemas'}: ${listed(found)}`,
        'it may have lost them, so nothing drops them: restore the store, adopt the schemas (tenancy tenant adopt), or drop them by hand',
      ),
    ];
  } catch (error) {
    return [problem(CHECK, (error as Error).message, 'do what the message says')];
  }
}
