import { isOutage } from '../../common/outage';
import type { CheckedServer } from '../protocol/session-probe';
import type { ConnectCallback } from './checkout';
import type { ServerPool } from './server-pool';

/** A replica that was chosen for one read. */
export interface ChosenReplica {
  readonly pool: ServerPool;
  /** Set while it must be looked at first. */
  readonly checking: Promise<CheckedServer> | undefined;
}

/** The replicas of one server: which of them answers the next read, if any. */
export class Replicas {
  /** Those that were lost, or could not be reached: reads go on without them until they are back. */
  readonly #away = new Set<ServerPool>();

  /** @param check looks at one of them, at most once a second while it is away; `undefined`: none needs to be looked at */
  constructor(
    readonly pools: readonly ServerPool[],
    private readonly check: ((index: number) => Promise<CheckedServer>) | undefined,
  ) {}

  /** One at random, as TypeORM chooses. `undefined`: all are away, so the server itself answers. */
  choose(): ChosenReplica | undefined {
    for (const pool of this.#away) this.#look(pool).catch(() => undefined);
    const there = this.pools.filter((pool) => !this.#away.has(pool));
    if (there.length === 0) return undefined;
    const pool = there[Math.floor(Math.random() * there.length)];
    return { pool, checking: pool.isChecked || !this.check ? undefined : this.#look(pool) };
  }

  lose(pool: ServerPool): void {
    this.#away.add(pool);
  }

  /** `callback`, but where the replica could not be reached `orElse` is called in place of it: nothing was sent yet. */
  orElse(pool: ServerPool, callback: ConnectCallback, orElse: () => void): ConnectCallback {
    return (error, client, release) => {
      if (error && isOutage(error) && !pool.isChecked) orElse();
      else callback(error, client, release);
    };
  }

  async #look(pool: ServerPool): Promise<CheckedServer> {
    try {
      const checked = await this.check!(this.pools.indexOf(pool));
      pool.isChecked = true;
      pool.hasOwnSessions = checked.pooler === 'none';
      this.#away.delete(pool);
      return checked;
    } catch (error) {
      if (isOutage(error)) this.#away.add(pool);
      else this.#away.delete(pool);
      throw error;
    }
  }
}
