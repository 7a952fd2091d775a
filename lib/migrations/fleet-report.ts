import { messageOf } from '../common/error-message';
import type { Tenant } from '../registry/tenant';
import type { MigrationFailure } from './migration-ledger';
import type { RunDirection, RunState } from './migration-runs';

/** What a run did. Failures are listed; everything else is counted, so that the report stays small for any fleet. */
export interface FleetReport {
  /** `null` when there was nothing to do, so no run was recorded. */
  readonly runId: string | null;
  readonly direction: RunDirection;
  readonly state: Exclude<RunState, 'running' | 'abandoned'>;
  /** In the order in which they were run. */
  readonly migrations: readonly string[];
  /** Migrations that this run applied to shared schemas, as `schema: name`; on a further server as `server: schema: name`. */
  readonly shared: readonly string[];
  /** Migrations that this run applied to the template, or reverted there; on a further server as `server: name`. */
  readonly template: readonly string[];
  /** Tenants that were changed. */
  readonly done: number;
  /** Tenants that another run had already migrated. */
  readonly skipped: number;
  readonly failed: readonly MigrationFailure[];
  /**
   * Tenants that still lack a migration, without those that failed. Of a server that was left out, all that this run has not
   * done: what they have seen cannot be asked.
   */
  readonly notReached: number;
  /** Why the run ended early, if it did. */
  readonly halted?: string;
  /** Further servers that the run went on without, the first reason of each. Their tenants count as not reached. */
  readonly leftOut: readonly ServerLeftOut[];
  /** What of that is to be done. Migrations that were edited after they ran, or that the code does not have. */
  readonly warnings: readonly string[];
  readonly ms: number;
}

/** A server that a run went on without. */
export interface ServerLeftOut {
  readonly server: string;
  readonly why: string;
}

/** How many tenants a run has ended with. */
type Count = Record<'done' | 'skipped' | 'failed', number>;

/** How many tenants a sentence names. */
const MAX_NAMED = 10;

export function tellMoving(slugs: readonly string[]): string {
  const named = slugs.slice(0, MAX_NAMED).map((slug) => JSON.stringify(slug));
  const others = slugs.length > MAX_NAMED ? ` and ${slugs.length - MAX_NAMED} others` : '';
  return `Not migrated, because they are being moved to another place: ${named.join(', ')}${others}. Run again when that has ended.`;
}

/** A report that is being filled. */
export class FleetTally {
  readonly failed: MigrationFailure[] = [];
  halted: string | undefined;
  /** Tenants that are not tried again in this run. */
  readonly settled = new Set<string>();
  /** Servers that the run goes on without, and why. */
  readonly leftOut = new Map<string, string>();
  /** Slugs of tenants that were passed over because they are being moved, by their ids. */
  readonly moving = new Map<string, string>();
  readonly #counts = new Map<string, Count>();

  get done(): number {
    return this.#sum('done');
  }

  get skipped(): number {
    return this.#sum('skipped');
  }

  get finished(): number {
    return this.done + this.skipped + this.failed.length;
  }

  finishedOn(server: string): number {
    const { done, skipped, failed } = this.of(server);
    return done + skipped + failed;
  }

  count(server: string, outcome: keyof Count): void {
    this.of(server)[outcome]++;
  }

  of(server: string): Count {
    let count = this.#counts.get(server);
    if (!count) this.#counts.set(server, (count = { done: 0, skipped: 0, failed: 0 }));
    return count;
  }

  halt(why: string): void {
    this.halted ??= why;
  }

  leaveOut(server: string, error: unknown): void {
    if (this.leftOut.has(server)) return;
    this.leftOut.set(server, messageOf(error));
  }

  /** Whether it is being moved, which is noted. */
  passOver({ id, slug }: Pick<Tenant, 'id' | 'slug'>, moving: ReadonlyMap<string, string>): boolean {
    if (moving.has(id)) this.moving.set(id, slug);
    else this.moving.delete(id);
    return moving.has(id);
  }

  get state(): FleetReport['state'] {
    if (this.halted !== undefined) return 'halted';
    return this.failed.length + this.leftOut.size + this.moving.size > 0 ? 'failed' : 'done';
  }

  #sum(outcome: keyof Count): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count[outcome], 0);
  }
}
