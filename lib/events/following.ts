import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { messageOf } from '../common/error-message';
import type { CheckedFollowOptions } from './follow.options';
import { type Claim, LOOKED_AT } from './follower-rows';
import { type EventHandler, FollowerTurn, type TurnSurroundings } from './follower-turn';

export interface FollowingSurroundings extends TurnSurroundings {
  /** Gives what was committed its place in the trail. */
  readonly seal: () => Promise<unknown>;
  /** How long nothing is looked for when nothing was told. */
  readonly pollMs: number;
  readonly shutdownTimeoutMs: number;
}

/** One follower in this instance, from its beginning to its end. */
export class Following {
  readonly #logger = new Logger('Tenancy');
  readonly #turns = new Set<FollowerTurn>();
  #isRegistered = false;
  #isClosing = false;
  #isSuperseded = false;
  /** Something may have been recorded since the trail was looked at. */
  #isNews = true;
  /** A claim whose answer did not come. */
  #doubtful: string | undefined;
  /** A pause is left out when it ends before it begins. */
  #isWoken = false;
  #endPause = (): void => undefined;
  readonly #loop: Promise<void>;

  constructor(
    readonly options: CheckedFollowOptions,
    private readonly handler: EventHandler,
    private readonly around: FollowingSurroundings,
  ) {
    around.meter.begin(options.name);
    this.#loop = around.context.runInFrame(undefined, () => this.#keepLooking());
  }

  /** Something may have been recorded. */
  tell(): void {
    this.#isNews = true;
    this.#wake();
  }

  /** Ends when the calls under way have ended, or have had their time; other instances go on at once. */
  async stop(): Promise<void> {
    this.#isClosing = true;
    this.#wake();
    await this.#loop;
    const turns = [...this.#turns];
    for (const turn of turns) turn.stop();
    let callOff = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      callOff = this.around.clock.after(this.around.shutdownTimeoutMs, resolve);
    });
    await Promise.race([Promise.all(turns.map(({ ended }) => ended)), late]);
    callOff();
    await Promise.allSettled(turns.map((turn) => turn.giveUp()));
    this.around.meter.end(this.options.name);
  }

  async #keepLooking(): Promise<void> {
    let isAway = false;
    while (!this.#isClosing) {
      let isMore = false;
      try {
        isMore = await this.#look();
        isAway = false;
      } catch (error) {
        this.#isNews = true;
        if (!isAway) this.#logger.warn(`The follower "${this.options.name}" waits: ${messageOf(error)}`);
        isAway = true;
      }
      if (!isMore && !this.#isClosing) await this.#pause();
    }
  }

  /** Whether there is more to do at once. */
  async #look(): Promise<boolean> {
    const { rows, seal } = this.around;
    if (!this.#isRegistered) await rows.register(this.options);
    this.#isRegistered = true;
    let isMoreNews = false;
    if (this.#isNews) {
      this.#isNews = false;
      await seal();
      isMoreNews = await this.#notice();
      this.#isNews ||= isMoreNews;
    }
    const free = this.options.concurrency - this.#turns.size;
    if (free <= 0 || this.#isClosing) return isMoreNews;
    for (const claim of await this.#claim(free)) this.#begin(claim);
    return isMoreNews;
  }

  async #claim(limit: number): Promise<Claim[]> {
    const { rows, leaseMs } = this.around;
    const { name } = this.options;
    if (this.#doubtful !== undefined) await rows.release(name, this.#doubtful);
    this.#doubtful = randomUUID();
    const claims = await rows.claim(this.options, this.#doubtful, limit, leaseMs);
    this.#doubtful = undefined;
    return claims;
  }
  #begin(claim: Claim): void {
    const turn = new FollowerTurn(this.options, this.handler, claim, this.around);
    this.#turns.add(turn);
    void turn.ended.then(() => {
      this.#turns.delete(turn);
      this.#wake();
    });
  }

  /** Whether the trail has more than was looked at. */
  async #notice(): Promise<boolean> {
    const { rows } = this.around;
    const noticed = await rows.notice(this.options);
    if (!noticed && !this.#isSuperseded)
      this.#logger.warn(
        `The follower "${this.options.name}" rests here: an instance that was started later follows other types by this name. ` +
          'Two followers need two names.',
      );
    this.#isSuperseded = !noticed;
    if (!noticed) return false;
    if (noticed.changed.length > 0) await rows.unpark(this.options, noticed.changed);
    return noticed.found === LOOKED_AT;
  }

  #wake(): void {
    this.#isWoken = true;
    this.#endPause();
  }

  async #pause(): Promise<void> {
    if (!this.#isWoken)
      await new Promise<void>((resolve) => {
        const callOff = this.around.clock.after(this.around.pollMs, () => {
          this.#isNews = true;
          resolve();
        });
        this.#endPause = () => {
          callOff();
          resolve();
        };
      });
    this.#isWoken = false;
  }
}
