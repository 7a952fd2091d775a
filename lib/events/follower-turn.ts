import { Logger } from '@nestjs/common';
import type { Clock } from '../common/clock';
import { messageOf } from '../common/error-message';
import { isOutage } from '../common/outage';
import { storableText } from '../common/storable';
import type { TenantContext } from '../context/tenant-context';
import type { TenantEvent } from '../registry/events/tenant-event';
import type { TenantStore } from '../registry/store/tenant.store';
import type { Tenant } from '../registry/tenant';
import type { CheckedFollowOptions, FollowCall } from './follow.options';
import type { Claim, FollowerRows, Reached } from './follower-rows';
import type { TurnMeter } from './watching/turn-meter';

/** Handles events of one tenant, in their order. What it throws is logged, and they come again. */
export type EventHandler = (events: readonly TenantEvent[], call: FollowCall) => unknown;

export interface TurnSurroundings {
  readonly rows: FollowerRows;
  readonly store: TenantStore;
  readonly context: TenantContext;
  readonly clock: Clock;
  readonly meter: TurnMeter;
  readonly leaseMs: number;
}

/** A tenant with many events gives way to others after so long, or after a page of events. */
const TURN_MS = 1_000;

/** Between tries after a failure: 1 s at first, then ever more, with chance in it. */
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 300_000;
/** The same where a database was away, which says nothing of the events. */
const MAX_OUTAGE_WAIT_MS = 5_000;

/** How long to wait before something is written again that the registry did not take. */
const RETRY_MS = 500;

const MAX_ERROR_LENGTH = 500;

/** The work of a follower for the events of one tenant that this instance has claimed. */
export class FollowerTurn {
  readonly #logger = new Logger('Tenancy');
  readonly #ending = new AbortController();
  #reached: Reached;
  #isLost = false;
  #heldUntil: number;
  #callOff = (): void => undefined;
  /** Resolves when the turn has ended here, and that is written or given up. It never rejects. */
  readonly ended: Promise<void>;

  constructor(
    private readonly options: CheckedFollowOptions,
    private readonly handler: EventHandler,
    private readonly claim: Claim,
    private readonly around: TurnSurroundings,
  ) {
    this.#reached = { sequence: claim.after, at: undefined };
    this.#heldUntil = around.clock.now() + around.leaseMs;
    this.#keep();
    this.ended = this.#run();
  }

  /** Begins no further call, and tells the one under way. */
  stop(): void {
    this.#abort('the application ends');
  }

  /** Lets another instance go on at once, also with what is still under way here. */
  async giveUp(): Promise<void> {
    if (this.#isLost) return;
    this.#isLost = true;
    await this.around.rows.finish(this.claim, this.#reached);
  }

  async #run(): Promise<void> {
    try {
      await this.#write(await this.#outcome());
    } catch (error) {
      this.#logger.warn(
        `How far the follower "${this.options.name}" has come with ${this.#whose()} was not written, so some events may come ` +
          `again: ${messageOf(error)}`,
      );
    } finally {
      this.#callOff();
      this.#isLost = true;
    }
  }

  /** What is to be written of the turn. */
  async #outcome(): Promise<() => Promise<unknown>> {
    const { rows, store } = this.around;
    const { claim } = this;
    if (this.options.as === 'system') return this.#work(undefined);
    let tenant: Tenant | undefined;
    try {
      tenant = await store.find({ by: 'id', value: claim.tenantId! });
    } catch (error) {
      return this.#failure(error);
    }
    if (!tenant) return () => rows.drop(claim);
    const { status } = tenant;
    if (status !== 'active') return () => rows.park(claim, `The tenant is ${status}.`);
    return this.#work(tenant);
  }

  async #work(tenant: Tenant | undefined): Promise<() => Promise<unknown>> {
    const { claim } = this;
    const { events } = claim;
    const { batch } = this.options;
    const { clock, meter, rows } = this.around;
    const endsAt = clock.now() + TURN_MS;
    for (let at = 0; at < events.length; at += batch) {
      if (this.#ending.signal.aborted || (at > 0 && clock.now() > endsAt)) break;
      const some = events.slice(at, at + batch);
      try {
        await this.#call(some, tenant, at > 0 ? 0 : claim.attempts);
      } catch (error) {
        return this.#failure(error);
      }
      const { sequence, occurredAt } = some.at(-1)!;
      this.#reached = { sequence, at: occurredAt };
    }
    // The trail was pruned since.
    if (events.length === 0) this.#reached = { sequence: claim.until, at: undefined };
    meter.count(claim.follower, 'done');
    return () => rows.finish(claim, this.#reached);
  }

  async #call(events: readonly TenantEvent[], tenant: Tenant | undefined, attempts: number): Promise<void> {
    const { context } = this.around;
    const work = async () =>
      void (await this.handler(events, { tenant, attempts, signal: this.#ending.signal }));
    await (tenant ? context.run(tenant, work) : context.runAsSystem(work));
  }

  #failure(error: unknown): () => Promise<unknown> {
    const { claim } = this;
    this.around.meter.count(claim.follower, 'failed');
    const hasCome = this.#reached.sequence !== claim.after;
    const attempts = (hasCome ? 0 : claim.attempts) + 1;
    const most = isOutage(error) ? MAX_OUTAGE_WAIT_MS : MAX_WAIT_MS;
    const waitMs = Math.min(most, FIRST_WAIT_MS * 2 ** (attempts - 1)) * (0.75 + Math.random() / 4);
    // The first of a row is told, and then one of many.
    if (Number.isInteger(Math.log2(attempts)))
      this.#logger.warn(
        `The follower "${this.options.name}" failed for ${this.#whose()}, ${attempts} time(s) in a row; its events wait: ${messageOf(error)}`,
      );
    const text = storableText(messageOf(error).slice(0, MAX_ERROR_LENGTH));
    return () => this.around.rows.fail(claim, this.#reached, { attempts, error: text, waitMs });
  }

  /** Tries for as long as the claim is this instance's. */
  async #write(change: () => Promise<unknown>): Promise<void> {
    const { clock } = this.around;
    for (;;) {
      if (this.#isLost) return;
      try {
        await change();
        return;
      } catch (error) {
        if (clock.now() > this.#heldUntil || this.#ending.signal.aborted) throw error;
        await new Promise<void>((resolve) => void clock.after(RETRY_MS, resolve));
      }
    }
  }

  /** Renews the claim while the handler works. */
  #keep(): void {
    const { clock, leaseMs } = this.around;
    this.#callOff = clock.after(
      leaseMs / 3,
      () => void this.#renew().finally(() => this.#isLost || this.#keep()),
    );
  }

  async #renew(): Promise<void> {
    const { rows, clock, leaseMs } = this.around;
    const sentAt = clock.now();
    try {
      if (await rows.renew(this.claim, leaseMs)) this.#heldUntil = sentAt + leaseMs;
      else this.#lose('another instance has them');
    } catch (error) {
      if (clock.now() > this.#heldUntil) this.#lose(`the claim was not renewed: ${messageOf(error)}`);
    }
  }

  #lose(why: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#abort(why);
    this.#logger.warn(
      `The follower "${this.options.name}" lets go of the events of ${this.#whose()} here: ${why}.`,
    );
  }

  #abort(why: string): void {
    this.#ending.abort(new Error(`The follower "${this.options.name}" has to end: ${why}.`));
  }

  #whose(): string {
    const { tenantId } = this.claim;
    return tenantId === undefined ? 'no tenant' : `the tenant ${tenantId}`;
  }
}
