import type { FleetMigrator } from '../../migrations/fleet-migrator';
import { type Finding, ok, problem } from './finding';

const CHECK = 'pending migrations';

/** Problems of pending migrations, found by running them on an empty copy that is rolled back. */
export async function checkPending(migrator: FleetMigrator): Promise<Finding[]> {
  try {
    const { shared, migrations } = await migrator.plan();
    const pending = [...shared, ...migrations];
    const found = pending.flatMap(({ name, problems }) =>
      problems.map((each) =>
        problem(CHECK, `${name}: ${each}`, 'correct it, then check again: tenancy migrate plan'),
      ),
    );
    const clear = pending.length === 0 ? 'there are none' : `${pending.length} can be run`;
    return found.length > 0 ? found : [ok(CHECK, clear)];
  } catch (error) {
    return [problem(CHECK, `they cannot be tried: ${(error as Error).message}`, 'do what the message says')];
  }
}
