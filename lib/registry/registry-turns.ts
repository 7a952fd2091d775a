import { Injectable } from '@nestjs/common';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { backgroundClock, type Clock } from '../common/clock';
import { type Asker, FairQueue, type Share } from '../common/fair-queue';
import { TenantBusyError } from '../common/tenancy.errors';

/** One tenant has at most one of the registry's two connections at a time, so that the other is left for all others. */
const MAX_PER_TENANT = 1;

type ConnectCallback = Parameters<Pool['connect']>[0];
type Release = (error?: Error | boolean) => void;

/** Whose turn it is at the registry: who a piece of code runs for is only known once the registry is open. */
@Injectable()
export class RegistryTurns {
  /** The id of the tenant that the current code runs for; `undefined` for the application's own work. */
  whose: () => string | undefined = () => undefined;
}

/** A request for a connection of the registry. */
class Turn implements Asker {
  share: Share<this> | undefined;
  readonly key: string;
  readonly work = this;
  readonly isUnbounded: boolean;
  stopTimer = (): void => undefined;

  constructor(
    tenantId: string | undefined,
    readonly answer: ConnectCallback,
    readonly start: () => void,
  ) {
    this.key = tenantId ?? 'the application';
    this.isUnbounded = tenantId === undefined;
  }

  /** No code that holds a connection of the registry asks for another. */
  isNested(): boolean {
    return false;
  }
}

export interface RegistryPoolOptions {
  readonly turns: RegistryTurns;
  /** How many of one tenant may wait; others get `TENANT_BUSY`. */
  readonly maxWaitingPerTenant: number;
  readonly clock?: Clock;
}

/**
 * A pool that gives out the registry's few connections in turns: the requests of one tenant, however many, wait for
 * each other, and those of all others wait for one of them at most.
 */
export function poolInTurns(
  Base: typeof Pool,
  { turns, maxWaitingPerTenant, clock = backgroundClock }: RegistryPoolOptions,
): typeof Pool {
  return class PoolInTurns extends Base {
    readonly #queue: FairQueue<Turn>;

    constructor(config: PoolConfig) {
      super(config);
      this.#queue = new FairQueue({
        size: this.options.max,
        maxPerKey: MAX_PER_TENANT,
        maxWaitingPerKey: maxWaitingPerTenant,
      });
    }

    override connect(): Promise<PoolClient>;
    override connect(callback: ConnectCallback): void;
    override connect(callback?: ConnectCallback): Promise<PoolClient> | void {
      if (callback) return this.#enter(callback);
      return new Promise((resolve, reject) => {
        this.#enter((error, client) => (error ? reject(error) : resolve(client as PoolClient)));
      });
    }

    #enter(callback: ConnectCallback): void {
      const turn: Turn = new Turn(turns.whose(), callback, () => this.#open(turn));
      const outcome = this.#queue.enter(turn);
      if (outcome === 'refused') callback(new TenantBusyError(), undefined, () => undefined);
      if (outcome === 'waiting') this.#await(turn);
    }

    #await(turn: Turn): void {
      const { connectionTimeoutMillis } = this.options;
      if (!connectionTimeoutMillis) return;
      turn.stopTimer = clock.after(connectionTimeoutMillis, () => {
        const isBusy = this.#queue.isHeldUp(turn);
        this.#giveUp(
          turn,
          isBusy ? new TenantBusyError() : new Error('timeout exceeded when trying to connect'),
        );
      });
    }

    #giveUp(turn: Turn, error: Error): void {
      turn.stopTimer();
      this.#queue.withdraw(turn);
      turn.answer(error, undefined, () => undefined);
    }

    #open(turn: Turn): void {
      turn.stopTimer();
      const refuse = (error: Error | undefined): void => {
        this.#queue.leave(turn);
        turn.answer(error, undefined, () => undefined);
      };
      try {
        super.connect((error, client, release: Release | undefined) => {
          if (!client) return refuse(error);
          let isGivenBack = false;
          const giveBack: Release = (reason) => {
            release?.(reason);
            if (!isGivenBack) this.#queue.leave(turn);
            isGivenBack = true;
          };
          client.release = giveBack;
          turn.answer(undefined, client, giveBack);
        });
      } catch (error) {
        // Whoever gave a connection back just now must not hear that the next one could not be made.
        refuse(error as Error);
      }
    }

    /** Requests that wait are refused at once, because they will get no connection. */
    override end(): Promise<void>;
    override end(callback: () => void): void;
    override end(callback?: () => void): Promise<void> | void {
      const ended = callback ? super.end(callback) : super.end();
      for (const turn of this.#queue.waiting)
        this.#giveUp(turn, new Error('Cannot use a pool after calling end on the pool'));
      return ended;
    }
  };
}
