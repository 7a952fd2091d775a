import { Inject, Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { isOutage } from '../common/outage';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/connection.options';
import { EndedWork } from '../provisioning/hooks/ended-work';
import { TenantEvents } from '../provisioning/hooks/tenant-events';
import { SchemaMarks, tenantComment } from '../provisioning/marks/schema-marks';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import type { Tenant } from '../registry/tenant';
import { EventSealer } from '../registry/events/event-sealer';
import { TenantStore } from '../registry/store/tenant.store';
import { isTaken, purposeOf, putAway, unguard } from './fence';
import { type Move, moveComment, nameOfMoved } from './move';
import { MoveRecords } from './move-records';
import { MoveRemains } from './move-remains';
import { MoveSessions } from './move-sessions';

/** How often it is asked again whether what may still hold the fence is over. */
const TRIES = 3;
const PAUSE_MS = 500;

/**
 * Brings a move to its end from whatever state it is in, for its worker and for who takes over after that: back while the old
 * place may serve, forward from the moment when the tenant was put away there.
 */
@Injectable()
export class MoveEndings {
  constructor(
    private readonly sealer: EventSealer,
    private readonly records: MoveRecords,
    private readonly sessions: MoveSessions,
    private readonly remains: MoveRemains,
    private readonly marks: SchemaMarks,
    private readonly store: TenantStore,
    private readonly lookup: TenantLookup,
    private readonly events: TenantEvents,
    private readonly ended: EndedWork,
    @Inject(CONNECTION_OPTIONS) private readonly options: ConnectionOptions,
  ) {}

  /**
   * Ends it. `why` is the reason when it fails. Called again it goes on.
   *
   * @throws what a server that is needed for the next step throws: then the move stays as it is, and nothing is guessed
   */
  async settle(move: Move, why: string): Promise<Move> {
    switch (move.state) {
      case 'planned':
      case 'copying':
      case 'following':
        return this.#fail(move, why);
      case 'fencing':
        return (await this.#isPutAway(move))
          ? this.settle(await this.records.advance(move, 'fencing', 'switching'), why)
          : this.#fail(move, why);
      case 'switching':
        return this.switch(move, why);
      case 'cleaning':
        return this.clean(move);
      default:
        return move;
    }
  }

  /** The tenant was put away, and the registry does not know it. Gone on with when the copy is there, else undone. */
  async switch(move: Move, why: string, told?: (now: Move) => Promise<void>): Promise<Move> {
    const purpose = await this.sessions.at(move, move.to, (manager) => purposeOf(manager, move.schemaName));
    if (purpose !== moveComment(move)) return this.#takeBack(move, why);
    // Nobody writes there any more, and nobody will look there again.
    await this.sealer.fetch(move.tenantId);
    const switched = await this.sessions.inRegistry((manager) =>
      this.records.switch(manager, move, 'switching'),
    );
    await told?.(switched);
    return this.clean(switched);
  }

  /** The new place serves: what is left is to say so there. */
  async clean(move: Move): Promise<Move> {
    const tenant = await this.#tenantOf(move);
    if (tenant) {
      this.lookup.forget(tenant);
      await this.sessions.at(move, move.to, (manager) =>
        this.marks.write(manager, move.schemaName, tenantComment(tenant.slug)),
      );
    }
    // What cannot be taken away now the sweeper takes away.
    if (move.how === 'online') await this.remains.unlink(move).catch(() => undefined);
    const done = await this.records.finish(move, 'done', { keepMs: this.options.moves.keepMs });
    this.#count(done, 'done');
    if (tenant) await this.events.emit('moved', tenant);
    return done;
  }

  async #fail(move: Move, why: string): Promise<Move> {
    const failed = await this.records.finish(move, 'failed', { reason: why, keepMs: 0 });
    this.#count(failed, 'failed');
    const tenant = await this.#tenantOf(move);
    if (tenant) await this.events.emit('move-failed', tenant);
    // What cannot be dropped now the sweeper drops.
    await this.remains.drop(failed).catch(() => undefined);
    return failed;
  }

  #count({ startedAt, finishedAt = startedAt }: Move, outcome: 'done' | 'failed'): void {
    const seconds = (finishedAt.getTime() - startedAt.getTime()) / 1_000;
    this.ended.tell({ move: { outcome, seconds } });
  }

  async #takeBack(move: Move, why: string): Promise<Move> {
    const { schemaName } = move;
    const tenant = await this.#tenantOf(move);
    await this.sessions.at(move, move.from, async (manager) => {
      const away = nameOfMoved(move);
      if ((await purposeOf(manager, away)) !== moveComment(move)) return;
      const comment = await this.marks.statement(manager, schemaName, tenantComment(tenant?.slug ?? '…'));
      await putAway(manager, away, schemaName, comment);
      await unguard(manager, schemaName);
    });
    return this.#fail(move, `${why} The copy at the new place was lost, so the tenant was brought back.`);
  }

  /** Whether the tenant was put away at the old place. Asked once nothing of the move is under way there any more. */
  async #isPutAway(move: Move): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.sessions.at(
          move,
          move.from,
          async (manager) => (await purposeOf(manager, nameOfMoved(move))) === moveComment(move),
        );
      } catch (error) {
        if (!isTaken(error) || tries === TRIES || isOutage(error)) throw error;
        await delay(PAUSE_MS);
      }
    }
  }

  #tenantOf({ tenantId }: Move): Promise<Tenant | undefined> {
    return this.store.find({ by: 'id', value: tenantId });
  }
}
