import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import type { RequestState } from '../context/handler-call';
import type { TenantContext } from '../context/tenant-context';
import { clientAnswer, isCallersFault } from '../resolution/http/client-answer';
import { TenantMismatchError } from '../resolution/resolution.errors';
import { readAnew, replaceCredentials } from '../resolution/resolvers/verified-credential';
import type { TenantResolution } from '../resolution/tenant-resolution';
import type { Tenant } from '../registry/tenant';

/** As much of a socket of the package `ws` as is needed. */
export interface Socket {
  emit(event: string, ...args: unknown[]): boolean;
  send(data: unknown, ...args: unknown[]): void;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
}

/** RFC 6455, 7.4.1. */
const POLICY_VIOLATION = 1008;
/** Of IANA's registry: the client may come back later. A client of `graphql-ws` never does after 1011. */
const TRY_AGAIN_LATER = 1013;

/**
 * One socket over which GraphQL is asked. Its tenant is what its handshake names, asked anew for each message that comes
 * and for each that goes: one who was suspended, or whose key was revoked, gets nothing any more. It never becomes
 * another tenant's, since what runs over it would go on for that one.
 */
export class KeptConnection {
  readonly #logger = new Logger('Tenancy');
  readonly #coming: Turns;
  readonly #going: Turns;
  #isRefused = false;

  constructor(
    private readonly socket: Socket,
    private readonly request: IncomingMessage,
    private readonly state: RequestState,
    private readonly resolution: TenantResolution,
    private readonly context: TenantContext,
  ) {
    state.frame.lasting = true;
    const failed = (error: unknown) => this.#logger.error(error);
    this.#coming = new Turns(failed, socket);
    this.#going = new Turns(failed);
    this.#keep();
  }

  /** Reads the tenant for the first time. An error is kept for the guards, which know what an operation needs. */
  async open(): Promise<void> {
    // The middleware has not seen all of the handshake, and nothing has run for whom it has found.
    this.state.frame.tenant = undefined;
    await this.#check();
  }

  #keep(): void {
    const emit = this.socket.emit.bind(this.socket);
    const send = this.socket.send.bind(this.socket);
    const check = () => this.#check();
    this.socket.emit = (event, ...args) => {
      if (event !== 'message') return emit(event, ...args);
      this.#coming.take(check, () => this.context.runInFrame(this.state.frame, () => emit(event, ...args)));
      return true;
    };
    this.socket.send = (data, ...args) => this.#going.take(check, () => send(data, ...args));
  }

  /** Whether the connection may go on. It never rejects. */
  #check(): boolean | Promise<boolean> {
    if (this.#isRefused) return false;
    const anew = readAnew(this.request);
    const found = (tenant: Tenant | undefined) => this.#found(tenant, anew);
    const failed = (error: unknown) => this.#failed(error);
    try {
      const tenant = this.resolution.resolve(this.resolution.requestOf(anew));
      return tenant instanceof Promise ? tenant.then(found, failed) : found(tenant);
    } catch (error) {
      return failed(error);
    }
  }

  #found(tenant: Tenant | undefined, anew: IncomingMessage): boolean {
    const { frame, isFree } = this.state;
    if (frame.tenant && frame.tenant.id !== tenant?.id) return this.#refuse(new TenantMismatchError());
    replaceCredentials(this.request, anew);
    this.state.failure = undefined;
    if (isFree !== true) frame.tenant = tenant;
    return true;
  }

  #failed(error: unknown): boolean {
    if (this.state.frame.tenant) return this.#refuse(error);
    this.state.failure = { error };
    return true;
  }

  #refuse(error: unknown): false {
    if (this.#isRefused) return false;
    this.#isRefused = true;
    const isTheirs = isCallersFault(error);
    if (!isTheirs) this.#logger.error(error);
    this.socket.close(isTheirs ? POLICY_VIOLATION : TRY_AGAIN_LATER, clientAnswer(error).code);
    return false;
  }
}

/** Messages one after another, although each may have to wait for its check: they must not overtake each other. */
class Turns {
  #last: Promise<void> | undefined;

  /**
   * `failed`: hears of what went wrong when nobody waits for it any more. `source`: what brings messages, and stops
   * bringing while one waits.
   */
  constructor(
    private readonly failed: (error: unknown) => void,
    private readonly source?: Pick<Socket, 'pause' | 'resume'>,
  ) {}

  take(check: () => boolean | Promise<boolean>, act: () => void): void {
    if (this.#last) return this.#wait(this.#last.then(check), act);
    const may = check();
    if (may === true) act();
    else if (may !== false) this.#wait(may, act);
  }

  #wait(may: Promise<boolean>, act: () => void): void {
    if (!this.#last) this.source?.pause();
    const own = may
      .then((isAllowed) => isAllowed && act())
      .catch(this.failed)
      .then(() => {
        if (this.#last !== own) return;
        this.#last = undefined;
        this.source?.resume();
      });
    this.#last = own;
  }
}
