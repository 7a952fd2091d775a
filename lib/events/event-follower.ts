import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import { backgroundClock, type Clock, CLOCK } from '../common/clock';
import { checkArguments } from '../common/options/check-options';
import { isTenancyCli } from '../common/tenancy-cli';
import { TenantContext } from '../context/tenant-context';
import { EventSealer } from '../registry/events/event-sealer';
import { TenantStore } from '../registry/store/tenant.store';
import { type DeclaredFollower, DeclaredFollowers } from './declared-followers';
import { type CheckedEventsOptions, EVENTS_OPTIONS } from './events.options';
import { FollowerNameTakenError } from './events.errors';
import { CheckedFollowOptions, type FollowOptions } from './follow.options';
import { FollowerRows } from './follower-rows';
import type { EventHandler } from './follower-turn';
import { Following } from './following';
import { TurnMeter } from './watching/turn-meter';

/**
 * Follows the trail of events for code: at least once, in order within each tenant, from where the follower was, however many
 * instances share the work.
 */
@Injectable()
export class EventFollower implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #followings = new Map<string, Following>();
  #isFetching = false;
  #declared: readonly DeclaredFollower[] = [];

  constructor(
    private readonly declared: DeclaredFollowers,
    private readonly rows: FollowerRows,
    private readonly sealer: EventSealer,
    private readonly store: TenantStore,
    private readonly context: TenantContext,
    private readonly meter: TurnMeter,
    @Inject(EVENTS_OPTIONS) private readonly options: CheckedEventsOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  /** @throws InvalidEventsOptionsError */
  onModuleInit(): void {
    this.#declared = this.declared.find();
  }

  onApplicationBootstrap(): void {
    for (const { options, handler } of this.#declared) this.follow(options, handler);
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([...this.#followings.values()].map((each) => each.stop()));
    this.#followings.clear();
  }

  /**
   * Calls `handler` with the events of the trail, from where all instances together were with a follower of this name. The
   * program `tenancy` begins none. Returns a function that ends it in this instance.
   *
   * @throws TypeError when the options are not as they should be
   * @throws FollowerNameTakenError when this instance has one of this name
   */
  follow(options: FollowOptions, handler: EventHandler): () => Promise<void> {
    const checked = checkArguments('EventFollower.follow()', CheckedFollowOptions, options);
    const { name } = checked;
    if (this.#followings.has(name)) throw new FollowerNameTakenError(name);
    if (isTenancyCli()) return () => Promise.resolve();
    const { rows, store, context, clock, meter } = this;
    const { leaseMs, pollMs, shutdownTimeoutMs } = this.options;
    const seal = () => this.#seal();
    const following = new Following(checked, handler, {
      ...{ rows, store, context, clock, meter },
      ...{ leaseMs, pollMs, shutdownTimeoutMs, seal },
    });
    this.#followings.set(name, following);
    return async () => {
      await following.stop();
      if (this.#followings.get(name) === following) this.#followings.delete(name);
    };
  }

  /** What is recorded on other servers comes a moment later: one that is away must not hold up those of all others. */
  async #seal(): Promise<void> {
    if (!this.#isFetching) {
      this.#isFetching = true;
      void this.sealer
        .fetch()
        .catch(() => undefined)
        .finally(() => (this.#isFetching = false));
    }
    await this.sealer.seal(null);
  }

  /** Has all followers of this instance look at the trail now rather than within `pollMs`. */
  wake(): void {
    for (const each of this.#followings.values()) each.tell();
  }

  /**
   * Forgets a follower, with how far it has come: one of this name begins anew. False when there is none. End it in all
   * instances before.
   *
   * @throws TenancyUnavailableError
   */
  forget(name: string): Promise<boolean> {
    return this.rows.forget(name);
  }
}
