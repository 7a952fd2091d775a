import { randomBytes } from 'node:crypto';
import type { Clock } from '../common/clock';
import { within } from '../common/within';
import type { ChangesSession, ChangesSessionEvents } from '../registry/changes/tenant-changes-session';
import { BEAT_MS, BEAT_TIMEOUT_MS } from '../registry/changes/tenant-changes-session';
import { duplicate, type OwnClient, type RedisClient, unref } from './redis-connection';

export interface RedisChangesSessionOptions {
  /** Where the scripts tell of changes. All databases of a Redis share its channels, so it has the registry's id in its name. */
  readonly channel: () => Promise<string>;
  readonly timeoutMs: number;
  /** Has the connection that the store reads by tell how many changes there have been, with this token. */
  readonly beat: (token: string) => Promise<unknown>;
}

/**
 * One connection that is subscribed, from its opening to its loss.
 *
 * Pub/sub loses what it cannot deliver, without a word, as between the nodes of a cluster. So every change has a number, one more
 * than the one before, and a gap ends the session. A beat every 500 ms asks for the latest number: once that has been heard,
 * everything from before the beat has.
 */
export class RedisChangesSession implements ChangesSession {
  readonly #client: OwnClient;
  #end!: (reason?: unknown) => void;
  readonly #ended = new Promise<unknown>((resolve) => (this.#end = resolve));
  #callOff = (): void => undefined;
  #isOver = false;
  #beat = { token: '', sentAt: -Infinity };
  /** The number of the latest change that was heard of; none before the first beat. */
  #heard?: number;

  constructor(
    client: RedisClient,
    private readonly options: RedisChangesSessionOptions,
    private readonly events: ChangesSessionEvents,
    private readonly clock: Clock,
  ) {
    const never = { retryStrategy: null, clusterRetryStrategy: null, autoResubscribe: false };
    // While nothing changes and no beat is sent, there is nothing to be heard.
    this.#client = duplicate(client, options.timeoutMs, { ...never, socketTimeout: undefined });
    this.#client.on('connect', () => unref(this.#client));
    for (const event of ['close', 'end'])
      this.#client.on(event, () => this.#end(new Error('The connection was closed.')));
    this.#client.on('message', (_channel: string, message: string) => this.#hear(message));
  }

  async run(): Promise<unknown> {
    this.#subscribe().catch((error: unknown) => this.#end(error));
    const reason = await this.#ended;
    this.#isOver = true;
    this.#callOff();
    this.#client.disconnect();
    return reason;
  }

  close(): void {
    this.#end();
  }

  async #subscribe(): Promise<void> {
    const channel = await this.options.channel();
    await within(this.options.timeoutMs, this.#client.connect());
    await this.#client.subscribe(channel);
    this.#sendBeat();
  }

  #hear(message: string): void {
    if (this.#isOver) return;
    const [, digits, kind, about] = /^(\d+) (changed|beat) (\S+)$/.exec(message) ?? [];
    const number = Number(digits);
    if (kind === 'changed') return this.#hearChange(number, about);
    if (kind === 'beat' && about === this.#beat.token) this.#hearBeat(number);
  }

  #hearChange(number: number, id: string): void {
    if (this.#heard === undefined) return;
    if (number !== this.#heard + 1) return this.#end(new Error('A change was not told.'));
    this.#heard = number;
    this.events.changed(id);
  }

  #hearBeat(number: number): void {
    const { sentAt } = this.#beat;
    this.#beat = { token: '', sentAt };
    if (this.#heard === undefined) {
      this.#heard = number;
      this.events.begun();
    } else if (number !== this.#heard) return this.#end(new Error('A change was not told.'));
    else this.events.proven(sentAt);
    this.#next(BEAT_MS - (this.clock.now() - sentAt), () => this.#sendBeat());
  }

  #sendBeat(): void {
    const beat = { token: randomBytes(8).toString('hex'), sentAt: this.clock.now() };
    this.#beat = beat;
    const isAwaited = () => this.#beat === beat;
    this.options.beat(beat.token).then(
      () => isAwaited() && this.#next(BEAT_TIMEOUT_MS, () => this.#end(new Error('A beat was not heard.'))),
      // Redis is away, or has lost its data: nothing is proven, and another beat is tried.
      () => isAwaited() && this.#next(BEAT_MS, () => this.#sendBeat()),
    );
  }

  /** Replaces the timer of the next step. */
  #next(ms: number, work: () => void): void {
    this.#callOff();
    if (!this.#isOver) this.#callOff = this.clock.after(Math.max(0, ms), work);
  }
}
