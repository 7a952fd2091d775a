import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';
import type { Clock } from '../../common/clock';
import { quoteIdentifier } from '../../common/sql';
import { TenancyError } from '../../common/tenancy.errors';
import { MOVE_NEWS } from './tenant-changes-channel';

/** Between two beats. */
export const BEAT_MS = 500;

/** A beat that has not come back after so long is lost. */
export const BEAT_TIMEOUT_MS = 1_000;

/** A beat that could not be sent in this time is given up, and the next is tried. */
const SEND_TIMEOUT_MS = 2_000;

export interface TenantChangesSessionOptions {
  /** Leads to PostgreSQL itself. */
  readonly connection: ClientConfig;
  /** Where the triggers tell of changes. */
  readonly channel: string;
  /** `pg_notify` on the connections that the store reads by. */
  readonly notify: (channel: string, payload: string) => Promise<unknown>;
}

interface Beat {
  readonly token: string;
  readonly sentAt: number;
  isHeard: boolean;
}

/** Events of a session. */
export interface ChangesSessionEvents {
  readonly begun: () => void;
  readonly changed: (id?: string) => void;
  readonly moved: (id: string) => void;
  /** All that was committed before `sentAt` has been told. */
  readonly proven: (sentAt: number) => void;
}

/** One connection that hears of changes, from its opening to its loss. */
export interface ChangesSession {
  /** Hears until the connection is lost or closed, and gives the reason; it throws nothing. */
  run(): Promise<unknown>;
  close(): void;
}

/**
 * One connection that LISTENs, from its opening to its loss.
 *
 * A beat proves that it hears: every 500 ms the store's own connections notify a channel of this session's.
 * Notifications come in the order of their commits, so with the beat everything from before has come. A beat from this
 * very connection would prove less: PgBouncer hands a client what arrives during its own transaction, and drops what
 * arrives between; and a `directUrl` that leads to another database would hear itself well.
 */
export class TenantChangesSession implements ChangesSession {
  readonly #client: Client;
  readonly #beatChannel = `tenancy_beat_${randomBytes(16).toString('hex')}`;
  #end!: (reason?: unknown) => void;
  /** Gives the reason once the connection is of no use any more. */
  readonly #ended = new Promise<unknown>((resolve) => (this.#end = resolve));
  #callOff = (): void => undefined;
  #isOver = false;
  #beat: Beat = { token: '0', sentAt: -Infinity, isHeard: true };

  constructor(
    private readonly options: TenantChangesSessionOptions,
    private readonly events: ChangesSessionEvents,
    private readonly clock: Clock,
  ) {
    this.#client = new Client(options.connection);
    this.#client.on('error', (error) => this.#end(error));
    this.#client.on('end', () => this.#end(new Error('The connection was closed.')));
    this.#client.on('notification', ({ channel, payload = '' }) => this.#hear(channel, payload));
  }

  async run(): Promise<unknown> {
    this.#listen().catch((error: unknown) => this.#end(error));
    const reason = await this.#ended;
    this.#isOver = true;
    this.#callOff();
    // The socket is destroyed, because a regular end would never complete over a broken line.
    this.#socket().destroy();
    return reason;
  }

  close(): void {
    this.#end();
  }

  async #listen(): Promise<void> {
    await this.#client.connect();
    // The application ends when its own work does.
    this.#socket().unref();
    await this.#client.query(
      `LISTEN ${quoteIdentifier(this.options.channel)}; LISTEN ${quoteIdentifier(this.#beatChannel)}`,
    );
    this.events.begun();
    this.#sendBeat();
  }

  #hear(channel: string, payload: string): void {
    if (channel === this.options.channel) return this.#tell(payload);
    if (channel !== this.#beatChannel || payload !== this.#beat.token) return;
    this.#beat.isHeard = true;
    this.events.proven(this.#beat.sentAt);
    this.#next(BEAT_MS - (this.clock.now() - this.#beat.sentAt), () => this.#sendBeat());
  }

  #tell(payload: string): void {
    if (payload.startsWith(MOVE_NEWS)) return this.events.moved(payload.slice(MOVE_NEWS.length));
    this.events.changed(payload === '' ? undefined : payload);
  }

  #sendBeat(): void {
    const beat: Beat = { token: randomBytes(8).toString('hex'), sentAt: this.clock.now(), isHeard: false };
    this.#beat = beat;
    const isAwaited = () => this.#beat === beat && !beat.isHeard;
    // Should the store's connections hang, nothing is proven, and another beat is tried.
    this.#next(SEND_TIMEOUT_MS, () => this.#sendBeat());
    this.options.notify(this.#beatChannel, beat.token).then(
      () => isAwaited() && this.#next(BEAT_TIMEOUT_MS, () => this.#end(new ChangesNotHeardError())),
      // The same. An error of the store is reported by the queries that use the store.
      () => isAwaited() && this.#next(BEAT_MS, () => this.#sendBeat()),
    );
  }

  /** Replaces the timer of the next step. */
  #next(ms: number, work: () => void): void {
    this.#callOff();
    if (!this.#isOver) this.#callOff = this.clock.after(Math.max(0, ms), work);
  }

  /** The socket, which is TLS's once there is one. */
  #socket(): Socket {
    return (this.#client as unknown as { connection: { stream: Socket } }).connection.stream;
  }
}

/** LISTEN was accepted, but what was notified did not arrive. Never thrown at a caller: it ends up in the log. */
class ChangesNotHeardError extends TenancyError {
  readonly code = 'TENANT_CHANGES_NOT_HEARD';

  constructor() {
    super(
      'PostgreSQL accepted LISTEN, but a notification did not arrive. A pooler that shares sessions drops them; so does a ' +
        'broken line; and a directUrl of another database never gets them. Set database.directUrl (TENANCY_DIRECT_URL) ' +
        "to a URL that leads to the registry's own database, around the pooler.",
    );
  }
}
