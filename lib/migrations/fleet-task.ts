import type { NamedMigration } from '../provisioning/template/named-migrations';
import type { CheckedFleetOptions } from './fleet-migrator.options';
import type { FleetMember, Missing } from './fleet-members';
import type { RunDirection } from './migration-runs';

/** The work of one run. */
export interface FleetTask {
  readonly runId: string;
  readonly direction: RunDirection;
  readonly migrations: readonly NamedMigration[];
  readonly options: CheckedFleetOptions;
  /** Why no other tenant may be begun; `undefined` when one may. */
  readonly whyStop: () => string | undefined;
}

export function namesOf({ migrations }: FleetTask): string[] {
  return migrations.map(({ name }) => name);
}

/** Which members it is to visit. */
export function missingIn({ direction }: FleetTask): Missing {
  return direction === 'up' ? 'lacking' : 'having';
}

/** What is to run in a tenant, in the order of its age. */
export function migrationsFor({ migrations, direction }: FleetTask, { done }: FleetMember): NamedMigration[] {
  return migrations.filter(({ name }) => done.includes(name) === (direction === 'down'));
}

/** The member once the first so many of its migrations have run. */
export function withRun(
  { direction }: FleetTask,
  member: FleetMember,
  migrations: readonly NamedMigration[],
  count: number,
): FleetMember {
  if (direction === 'up')
    return { ...member, done: [...member.done, ...migrations.slice(0, count).map(({ name }) => name)] };
  const reverted = migrations.slice(-count).map(({ name }) => name);
  return { ...member, done: member.done.filter((name) => !reverted.includes(name)) };
}
