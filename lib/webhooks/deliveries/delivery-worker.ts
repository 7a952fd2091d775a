import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { backgroundClock, type Clock, CLOCK } from '../../common/clock';
import { isTenancyCli } from '../../common/tenancy-cli';
import { within } from '../../common/within';
import { TenantContext } from '../../context/tenant-context';
import { TenantLookup } from '../../registry/cache/tenant-lookup';
import { RegistryTime } from '../../registry/registry-time';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../webhooks.options';
import { DeliveryMeter } from './delivery-meter';
import { LaneSettler } from './lane-settler';
import { LaneTurn, TURN_MS } from './lane-turn';
import { FAILING_AFTER } from './retry-schedule';
import { WebhookDisabling } from './webhook-disabling';
import { type ClaimedLane, type LaneOutcome, WebhookLanes } from './webhook-lanes';
import { WebhookSender } from './webhook-sender';

/** How soon an instance notices what is due. What this instance adds it notices at once. */
const POLL_MS = 1_000;

/** How many deliveries of a lane are read at once: with payloads of 64 KiB at most, 1.6 MiB. */
const BATCH = 25;

/** How long writing what became of a turn may take while the registry is slow or away. */
const WRITE_MS = 25_000;

/** A suspended tenant, or a disabled endpoint, is looked at again after so long, if nothing else says that it is back. */
const PARKED_MS = 600_000;

/**
 * Sends what is due. Any number of instances share the endpoints: each leases some of them for a turn of seconds, so one
 * that is killed holds up its endpoints for less than a minute.
 */
@Injectable()
export class DeliveryWorker implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('Tenancy');
  readonly #turns = new Map<ClaimedLane, Promise<void>>();
  readonly #running = new Set<LaneTurn>();
  readonly #settler: LaneSettler;
  #isClosing = false;
  #isWoken = false;
  #loop: Promise<void> | undefined;
  #endPause = (): void => undefined;

  constructor(
    private readonly lanes: WebhookLanes,
    private readonly sender: WebhookSender,
    private readonly lookup: TenantLookup,
    private readonly time: RegistryTime,
    private readonly context: TenantContext,
    private readonly meter: DeliveryMeter,
    disabling: WebhookDisabling,
    @Inject(WEBHOOKS_OPTIONS) private readonly options: CheckedWebhooksOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {
    const write = (outcomes: readonly LaneOutcome[]) =>
      lanes.settle(outcomes, (manager, endpoint) => disabling.note(manager, endpoint));
    this.#settler = new LaneSettler(write, clock);
  }

  /** The CLI sends nothing. */
  onApplicationBootstrap(): void {
    if (isTenancyCli() || !this.options.deliveries.enabled) return;
    this.#loop = this.context.runInFrame(undefined, () => this.#keepSending());
  }

  /** Requests that are under way may end, and what became of them is written. What was not sent is left to others. */
  async onModuleDestroy(): Promise<void> {
    this.#isClosing = true;
    this.wake();
    await this.#loop;
    for (const turn of this.#running) turn.stop();
    const ended = Promise.all(this.#turns.values());
    await within(this.options.deliveries.shutdownTimeoutMs, ended).catch(() => undefined);
  }

  /** Something is due now. */
  wake(): void {
    this.#isWoken = true;
    this.#endPause();
  }

  async #keepSending(): Promise<void> {
    let isAway = false;
    while (!this.#isClosing) {
      this.#isWoken = false;
      try {
        await this.#claim();
        isAway = false;
      } catch (error) {
        if (!isAway) this.#logger.warn(`Webhooks wait for the registry: ${String(error)}`);
        isAway = true;
        // A turn that ends tells nothing new.
        this.#isWoken = false;
      }
      await this.#pause();
    }
  }

  /** Begins turns, as many as this instance may have. Those of receivers that fail get half of them at most. */
  async #claim(): Promise<void> {
    const { endpointsAtOnce } = this.options.deliveries;
    const lanes = endpointsAtOnce - this.#turns.size;
    if (lanes === 0) return;
    const failing = [...this.#turns.keys()].filter(({ failures }) => failures >= FAILING_AFTER).length;
    const claimedAt = this.clock.now();
    const leaseMs = TURN_MS + this.options.timeoutMs + WRITE_MS;
    const claimed = await this.lanes.claim({
      ...{ token: randomUUID(), leaseMs, lanes, batch: BATCH },
      failing: Math.max(0, Math.min(lanes, Math.ceil(endpointsAtOnce / 2) - failing)),
    });
    for (const lane of claimed) {
      const turn = this.#serve(lane, claimedAt + leaseMs).finally(() => {
        this.#turns.delete(lane);
        this.wake();
      });
      this.#turns.set(lane, turn);
    }
  }

  async #serve(lane: ClaimedLane, until: number): Promise<void> {
    const outcome = await this.#turn(lane);
    await this.#settler.settle(outcome, until);
    const { holdMs } = outcome;
    // Its rate lets it go on before the next look.
    if (holdMs > 0 && holdMs < POLL_MS) this.clock.after(holdMs, () => this.wake());
  }

  async #turn(lane: ClaimedLane): Promise<LaneOutcome> {
    const { concurrencyPerEndpoint: concurrency, perSecondPerEndpoint: perSecond } = this.options.deliveries;
    const { endpointId, token, failures } = lane;
    const unsent = { endpointId, token, failures, attempts: [], hasArrived: false, isGone: false };
    try {
      const tenant = await this.lookup.find({ by: 'id', value: lane.tenantId });
      if (tenant?.status !== 'active' || !lane.isEnabled) return { ...unsent, holdMs: PARKED_MS };
    } catch {
      // Its tenant is not known while the registry is away.
      return { ...unsent, holdMs: POLL_MS };
    }
    const { sender, clock, meter } = this;
    const now = () => this.time.now();
    const turn = new LaneTurn(lane, { sender, clock, now, concurrency, perSecond, meter });
    this.#running.add(turn);
    try {
      return await turn.run();
    } finally {
      this.#running.delete(turn);
    }
  }

  #pause(): Promise<void> {
    if (this.#isWoken || this.#isClosing) return Promise.resolve();
    return new Promise((resolve) => {
      const callOff = this.clock.after(POLL_MS, resolve);
      this.#endPause = () => {
        callOff();
        resolve();
      };
    });
  }
}
