import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/connection.options';
import { Homes } from '../provisioning/homes/homes';
import { isTaken } from './fence';
import type { Move } from './move';
import { MoveRecords } from './move-records';
import { MoveNotPossibleError } from './moves.errors';

/** Between two tries to get the tables of a tenant. */
const RETRY_MS = 200;

/** Waits for the tables of tenants. */
@Injectable()
export class TableWaits {
  constructor(
    private readonly records: MoveRecords,
    private readonly homes: Homes,
    @Inject(CONNECTION_OPTIONS) private readonly options: ConnectionOptions,
  ) {}

  /**
   * What `work` gives, which needs the tables for itself and leaves nothing behind when it does not get them: again while others
   * have them and the move has the state that it has now.
   *
   * @throws MoveNotPossibleError after `moves.drainMs`
   */
  async whenFree<T>(move: Move, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { drainMs } = this.options.moves;
    const until = performance.now() + drainMs;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isTaken(error) || (await this.records.find(move.id))?.state !== move.state) throw error;
        if (performance.now() > until) {
          const holders = await this.#holders(move).catch(() => []);
          throw new MoveNotPossibleError(
            `its tables could not be had for ${drainMs} ms, because open transactions write to them ` +
              `(${holders.join(', ') || 'they have ended meanwhile'}). Try again when they have ended, or raise moves.drainMs.`,
            { cause: error },
          );
        }
        await delay(RETRY_MS, undefined, { signal });
      }
    }
  }

  /** Who holds locks on them, in words. */
  #holders({ from, schemaName }: Move): Promise<string[]> {
    return this.homes.ofIsolation(from.isolation).listHolders({ schemaName, server: from.server });
  }
}
