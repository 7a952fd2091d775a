import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { EntityManager } from 'typeorm';
import { type Move, type MoveHow, MoveSweeper, type Tenant, TenantMover } from '../../../lib';
import { Replication } from '../../../lib/moves/replication';
import type { SeededRandom } from '../../../lib/testing/hammer/seeded-random';
import { cleanEnvironment, programArguments } from '../commands';
import type { HammerWorld } from './hammer-world';

/** How long the end of moves is waited for whose worker has died. */
const SETTLED_WITHIN_MS = 120_000;

const AT_ONCE = 3;

/** Where a mover is killed. */
const STATES = ['planned', 'copying', 'copied', 'following', 'fencing', 'switching', 'cleaning'] as const;

export interface MovesOptions {
  readonly moves: number;
  /** Of how many the process is killed on the way. Default 0. */
  readonly kills?: number;
  /** Default: every second one online, where the servers allow it. */
  readonly how?: MoveHow;
  /** The moves are spread over so many operations of the hammer. */
  readonly operations: number;
  readonly random: SeededRandom;
}

export interface MovesReport {
  readonly moved: number;
  /** How many of these while their writes went on. */
  readonly online: number;
  readonly failed: number;
  readonly killed: number;
  /** Whose schema is not, or not only, where the registry says. */
  readonly wrongPlaces: readonly string[];
  /** How often moves failed, by the reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Moves tenants to and fro while the hammer works on them. */
export class HammerMoves {
  readonly #movable: readonly Tenant[];
  readonly #free: Tenant[];
  readonly #underWay = new Set<Promise<void>>();
  readonly #reasons: Record<string, number> = {};
  #begun = 0;
  #moved = 0;
  #online = 0;
  #failed = 0;
  #killed = 0;

  constructor(
    private readonly world: HammerWorld,
    private readonly options: MovesOptions,
  ) {
    // Those with databases of their own do not move.
    this.#movable = world.tenants.filter(({ place }) => place.isolation === 'schema');
    this.#free = [...this.#movable];
  }

  /** Begins the moves that are due after so many operations. At most `AT_ONCE` at a time. */
  readonly onProgress = (operations: number): void => {
    const due = Math.ceil((operations * this.options.moves) / this.options.operations);
    if (this.#free.length === 0 || this.#begun >= due || this.#underWay.size >= AT_ONCE) return;
    const [tenant] = this.#free.splice(this.options.random.integer(this.#free.length), 1);
    const work = this.#move(tenant, this.#begun++).finally(() => {
      this.#underWay.delete(work);
      this.#free.push(tenant);
    });
    this.#underWay.add(work);
  };

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
    await this.#settle();
  }

  /** What was done, once all is settled, and where everything is. */
  async report(): Promise<MovesReport> {
    await this.settled();
    const wrongPlaces: string[] = [];
    for (const tenant of this.#movable) {
      const server = await this.world.serverOf(tenant);
      for (const each of ['default', 'further']) {
        const found = await this.world
          .at(each)
          .query('SELECT FROM pg_namespace WHERE nspname = $1', [tenant.schemaName]);
        if (found.length > 0 !== (each === server))
          wrongPlaces.push(`${tenant.slug} lives on ${server}, and ${found.length} of it is on ${each}`);
      }
    }
    const [moved, online, failed] = [this.#moved, this.#online, this.#failed];
    return { moved, online, failed, killed: this.#killed, wrongPlaces, reasons: this.#reasons };
  }

  async #move(tenant: Tenant, number: number): Promise<void> {
    const { kills = 0, moves, random } = this.options;
    const server = (await this.world.serverOf(tenant)) === 'further' ? 'default' : 'further';
    const isKilled = Math.floor((number * kills) / moves) !== Math.floor(((number + 1) * kills) / moves);
    try {
      // Without a word it is online where that is possible.
      const how = this.options.how ?? (number % 2 ? 'stop' : undefined);
      if (isKilled) await this.#killOnTheWay(tenant, server, random.pick(STATES), how);
      else await random.pick(this.world.instances).app.get(TenantMover).move(tenant.id, { server }, { how });
    } catch (error) {
      const { code = 'unknown', message } = error as { code?: string; message: string };
      const reason = `${code}: ${message.replaceAll(/[0-9a-f-]{36}/g, '…')}`;
      this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1;
    }
    await this.#settle(tenant);
    const [last] = await this.#movesOf(tenant);
    if ((await this.world.serverOf(tenant)) === server) {
      this.#moved += 1;
      if (last.how === 'online') this.#online += 1;
    } else this.#failed += 1;
  }

  #movesOf({ id }: Tenant): Promise<Move[]> {
    return this.options.random.pick(this.world.instances).app.get(TenantMover).list(id);
  }

  async #killOnTheWay(tenant: Tenant, server: string, state: string, how = 'online'): Promise<void> {
    const { directUrl, furtherUrl } = this.world;
    const program = 'test/support/hammer/mover-program.ts';
    const mover = spawn(
      process.execPath,
      programArguments(program, directUrl, furtherUrl, tenant.id, server, state, how),
      { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exit = once(mover, 'exit');
    // It may have been refused, or hit by a fault, and ends by itself.
    await Promise.race([once(mover.stdout, 'data'), exit]);
    if (mover.kill('SIGKILL')) this.#killed += 1;
    await exit;
  }

  /** Moves whose worker is dead are ended by the sweeper of any instance. */
  async #settle(tenant?: Tenant): Promise<void> {
    const until = performance.now() + SETTLED_WITHIN_MS;
    for (;;) {
      const { app } = this.options.random.pick(this.world.instances);
      try {
        const open = await app.get(TenantMover).listOpen();
        if (!open.some(({ tenantId }) => !tenant || tenantId === tenant.id)) return;
        const { problems } = await app.get(MoveSweeper).sweep();
        if (performance.now() > until) throw new Error(`Moves do not end: ${problems.join('; ')}`);
      } catch (error) {
        if (performance.now() > until) throw error;
      }
    }
  }
}

/** Statements that are not sent, and what is sent in their place. */
type Replaced = readonly (readonly [RegExp, string])[];

const NOTHING = 'SELECT 1';

/** The ways to do it wrong, each of which must lose writes. */
export const BROKEN = {
  /** The tables are copied without keeping writers away. */
  noWait: { how: 'stop', replaced: [[/^LOCK TABLE ONLY .* MODE$/s, NOTHING]] },
  /** The schema stays at the old place, without a guard, so who waited there goes on there. */
  noFence: {
    how: 'stop',
    replaced: [[/^ALTER SCHEMA .* RENAME TO "?moved_|^CREATE FUNCTION .*tenancy_has_moved/s, NOTHING]],
  },
  /**
   * The new place serves before it has done what was written at the old one, and no rows are counted. It does nothing at all: on a
   * quiet machine it would have done it all by then.
   */
  noCatchUp: {
    how: 'online',
    isDeaf: true,
    replaced: [
      [/latest_end_lsn/, 'SELECT true AS "isDone", 0 AS failures'],
      [/pg_relation_size/, 'SELECT NULL::text AS name WHERE false'],
    ],
  },
} as const satisfies Record<
  string,
  { readonly how: MoveHow; readonly isDeaf?: boolean; readonly replaced: Replaced }
>;

/** Leaves out what keeps a move safe, in the whole process. What it gives sets it right again. */
export function breakMoves(how: keyof typeof BROKEN): () => void {
  const { query } = EntityManager.prototype;
  const replaced: Replaced = BROKEN[how].replaced;
  EntityManager.prototype.query = function <T>(this: EntityManager, sql: string, values?: unknown[]) {
    const found = replaced.find(([statement]) => statement.test(sql));
    return (found ? query.call(this, found[1]) : query.call(this, sql, values)) as Promise<T>;
  };
  const { subscribe } = Replication.prototype;
  if ('isDeaf' in BROKEN[how]) Replication.prototype.subscribe = () => Promise.resolve();
  return () => {
    EntityManager.prototype.query = query;
    Replication.prototype.subscribe = subscribe;
  };
}
