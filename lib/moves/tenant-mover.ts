import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { messageOf, messageWithCause } from '../common/error-message';
import { checkArguments } from '../common/options/check-options';
import { anything, callback, oneOf } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { TenancyError } from '../common/tenancy.errors';
import { thisProcess } from '../common/this-process';
import { uuidV7 } from '../common/uuid-v7';
import { TenantEvents } from '../provisioning/hooks/tenant-events';
import type { PlaceRequest } from '../provisioning/place-chooser';
import { checkActorAndReason } from '../provisioning/tenant-input';
import { isUuid } from '../registry/claim';
import { TenantStore } from '../registry/store/tenant.store';
import type { Tenant } from '../registry/tenant';
import { TenantNotFoundError } from '../registry/tenant.errors';
import { type Move, MOVE_HOWS, type MoveHow, type MoveProgress, type MoveVerification } from './move';
import { MoveChecks } from './move-checks';
import type { MoveTold } from './move-copy';
import { MoveEndings } from './move-endings';
import { MoveRecords } from './move-records';
import { MoveRemains } from './move-remains';
import { MoveSessions } from './move-sessions';
import {
  MoveFailedError,
  MoveInterruptedError,
  MoveLostError,
  MoveNotFoundError,
  MoveNotPossibleError,
} from './moves.errors';
import { OnlineCopy } from './online-copy';
import { StopCopy } from './stop-copy';

export class MoveOptions {
  /**
   * `online`: the tenant's writes go on while its rows are copied. `stop`: they are stopped. Default `online` where the servers and
   * the tenant's tables allow it; the record's `fallback` says why they do not.
   */
  @Option(oneOf<MoveHow>(...MOVE_HOWS))
  readonly how?: MoveHow;

  /** `rows`: the copy is compared row by row, too. Default `count`: its structure, sequences and numbers of rows. */
  @Option(oneOf<MoveVerification>('count', 'rows'))
  readonly verify?: MoveVerification;

  /** Who asks for it, 1 to 200 characters; stored in the record. */
  @Option(anything<string>())
  readonly actor?: string;

  /** Called when the move has another state, after each table, and every two seconds while it follows. A promise that it gives is awaited. */
  @Option(callback<(move: Move) => unknown>('give a function'))
  readonly onProgress?: (move: Move) => unknown;
}

export class CancelMoveOptions {
  /** Who asks for it, 1 to 200 characters; stored in the record. */
  @Option(anything<string>())
  readonly actor?: string;
}

/** Between two signs of life of a worker. */
const BEAT_MS = 5_000;

/** Moves tenants from one place to another. Records of moves say how far each is, on whatever instance it runs. */
@Injectable()
export class TenantMover implements OnModuleDestroy {
  readonly #logger = new Logger(TenantMover.name);
  readonly #working = new Map<string, { readonly ended: Promise<Move>; readonly stop: AbortController }>();

  constructor(
    private readonly store: TenantStore,
    private readonly checks: MoveChecks,
    private readonly records: MoveRecords,
    private readonly sessions: MoveSessions,
    private readonly remains: MoveRemains,
    private readonly stopCopy: StopCopy,
    private readonly onlineCopy: OnlineCopy,
    private readonly endings: MoveEndings,
    private readonly events: TenantEvents,
  ) {}

  /** Moves that can still be undone are. */
  async onModuleDestroy(): Promise<void> {
    for (const { stop } of this.#working.values()) stop.abort(new Error('The application is closing.'));
    await Promise.allSettled([...this.#working.values()].map(({ ended }) => ended));
  }

  /**
   * Moves a tenant, and resolves with the record when it is served at the new place. What the place leaves out stays as it is.
   * `reference` is an id or a slug.
   *
   * @throws what `begin` throws
   * @throws MoveFailedError when it is served where it was
   * @throws MoveInterruptedError when a server that is needed is away: the sweeper goes on
   */
  async move(reference: string, place: PlaceRequest, options: MoveOptions = {}): Promise<Move> {
    return this.ended((await this.begin(reference, place, options)).id);
  }

  /**
   * Begins a move, which goes on in the background, and resolves with its record.
   *
   * @throws TenantNotFoundError, InvalidTransitionError, PlaceNotPossibleError, MoveNotPossibleError, MoveUnderWayError
   */
  async begin(reference: string, place: PlaceRequest, given: MoveOptions = {}): Promise<Move> {
    const options = checkArguments('TenantMover.move()', MoveOptions, given);
    checkActorAndReason({ actor: options.actor });
    const tenant = await this.#find(reference);
    const { to, how, fallback } = await this.checks.check(tenant, place, options.how);
    await this.remains.clearWay(tenant, to);
    const worker = `${thisProcess()}, ${uuidV7()}`;
    const { actor, verify = 'count' } = options;
    const move = await this.records.begin(uuidV7(), tenant, to, { how, fallback, actor, verify, worker });
    const stop = new AbortController();
    const ended = this.#work(move, tenant, options, stop.signal).finally(() => this.#working.delete(move.id));
    this.#working.set(move.id, { ended, stop });
    ended.catch((error: unknown) => {
      const { message } = error as Error;
      this.#logger.warn(`The move ${move.id} of the tenant "${tenant.slug}": ${message}`);
    });
    return move;
  }

  /** Resolves with the record of a move that this instance works on, once it has ended; else with the record as it is. */
  async ended(id: string): Promise<Move> {
    return this.#working.get(id)?.ended ?? this.find(id);
  }

  /** The record of a move, as it is now. @throws MoveNotFoundError */
  async find(id: string): Promise<Move> {
    const move = isUuid(id) ? await this.records.find(id) : undefined;
    if (!move) throw new MoveNotFoundError();
    return move;
  }

  /** The moves of a tenant, the latest first. @throws TenantNotFoundError */
  async list(reference: string): Promise<Move[]> {
    return this.records.listOf((await this.#find(reference)).id);
  }

  /** Those that are under way, the oldest first. */
  listOpen(): Promise<Move[]> {
    return this.records.listOpen();
  }

  /**
   * Stops a move that can still be undone, and resolves with its record; its worker, or the sweeper, undoes it soon.
   *
   * @throws MoveNotFoundError
   * @throws MoveNotPossibleError when it has ended, or the tenant is no longer served at the old place
   */
  async cancel(id: string, given: CancelMoveOptions = {}): Promise<Move> {
    const { actor } = checkArguments('TenantMover.cancel()', CancelMoveOptions, given);
    checkActorAndReason({ actor });
    const before = await this.find(id);
    const move = await this.records.cancel(id, actor ?? 'somebody');
    if (!move)
      throw new MoveNotPossibleError(`The move ${id} is ${before.state}: it is too late to cancel it.`);
    this.#working.get(id)?.stop.abort(new Error(cancelled(move)));
    return move;
  }

  async #work(begun: Move, tenant: Tenant, { onProgress }: MoveOptions, stopped: AbortSignal): Promise<Move> {
    const lost = new AbortController();
    const signal = AbortSignal.any([stopped, lost.signal]);
    let move = begun;
    let progress: MoveProgress = begun.progress;
    const told: MoveTold = {
      state: async (now) => {
        move = now;
        progress = { ...progress, lagBytes: undefined };
        await onProgress?.({ ...now, progress });
      },
      progress: async (now) => {
        progress = now;
        await onProgress?.({ ...move, progress });
      },
      lag: async (lagBytes) => {
        progress = { ...progress, lagBytes };
        await onProgress?.({ ...move, progress });
      },
      signal,
    };
    const timer = setInterval(() => {
      this.records.beat(move, progress).then(
        ({ cancelledBy, ...now }) => cancelledBy && lost.abort(new Error(cancelled({ ...now, cancelledBy }))),
        // While the registry is away nothing is known; whatever the move does next asks it.
        (error: unknown) => error instanceof MoveLostError && lost.abort(error),
      );
    }, BEAT_MS);
    try {
      const outcome = await this.sessions.asWorker(begun.id, () => this.#run(begun, tenant, told));
      if (!outcome) throw new MoveLostError(begun.id);
      const noted = await this.records.beat(outcome, progress).catch(() => ({ ...outcome, progress }));
      if (noted.state === 'failed') throw new MoveFailedError(noted);
      return noted;
    } finally {
      clearInterval(timer);
    }
  }

  async #run(begun: Move, tenant: Tenant, told: MoveTold): Promise<Move> {
    try {
      await told.state(begun);
      const copying = await this.records.advance(begun, 'planned', 'copying');
      await told.state(copying);
      await this.events.emit('moving', tenant);
      const way = copying.how === 'online' ? this.onlineCopy : this.stopCopy;
      let move = await way.run(copying, told);
      if (move.state === 'fencing') {
        move = await this.records.advance(move, 'fencing', 'switching');
        await told.state(move);
        return await this.endings.switch(move, 'The copy was lost.', told.state);
      }
      await told.state(move);
      return await this.endings.clean(move);
    } catch (error) {
      return this.#settle(begun, error);
    }
  }

  /** After an error: whatever state the move is in, it is brought to its end, or left to the sweeper. */
  async #settle(begun: Move, error: unknown): Promise<Move> {
    if (error instanceof MoveLostError) throw error;
    const now = await this.records.find(begun.id).catch(() => undefined);
    if (now && now.worker !== begun.worker) throw new MoveLostError(begun.id);
    try {
      if (!now) throw error;
      return await this.endings.settle(now, reasonOf(now, error));
    } catch (cause) {
      throw new MoveInterruptedError(now ?? begun, { cause });
    }
  }

  async #find(reference: string): Promise<Tenant> {
    const tenant = await this.store.find({ by: isUuid(reference) ? 'id' : 'slug', value: reference });
    if (!tenant) throw new TenantNotFoundError();
    return tenant;
  }
}

function cancelled({ cancelledBy }: Pick<Move, 'cancelledBy'>): string {
  return `It was cancelled by ${cancelledBy}.`;
}

function reasonOf(move: Move, error: unknown): string {
  if (move.cancelledBy !== undefined) return cancelled(move);
  return error instanceof TenancyError ? messageWithCause(error) : messageOf(error);
}
