import { EventEmitter } from 'node:events';
import { type PoolClient, TypeOverrides } from 'pg';
import { LeaseEndedError } from './connection.errors';
import type { TenantClient } from './tenant-client';

/** What a handle answers from its own listeners: those of the pool and of other leases are no concern of the borrower's. */
const LISTENING: ReadonlySet<PropertyKey> = new Set<keyof EventEmitter>([
  'on',
  'addListener',
  'once',
  'prependListener',
  'prependOnceListener',
  'off',
  'removeListener',
  'removeAllListeners',
  'listeners',
  'rawListeners',
  'listenerCount',
  'eventNames',
  'setMaxListeners',
  'getMaxListeners',
]);

/** Those whose first argument is an event to listen for. */
const ADDS_LISTENER: ReadonlySet<PropertyKey> = new Set<keyof EventEmitter>([
  'on',
  'addListener',
  'once',
  'prependListener',
  'prependOnceListener',
]);

/** What somebody else's client must not be told by a handle that was kept. */
const CHANGES_CLIENT: ReadonlySet<PropertyKey> = new Set<keyof TenantClient>([
  'setTypeParser',
  'end',
  'emit',
]);

type Method = (...args: unknown[]) => unknown;

/**
 * A client for one borrower: pg's own in every respect, but nothing that is hung on it reaches the next one. Listeners
 * and type parsers are taken off at the end, and what is written to a property is seen through this handle alone.
 */
export class LentHandle {
  readonly proxy: PoolClient;
  #listeners: EventEmitter | undefined;
  readonly #forwarders = new Map<string | symbol, (...args: unknown[]) => void>();
  #parsersBefore: TypeOverrides | undefined;
  #isOver = false;

  /** @param own what this handle has in place of the client's */
  constructor(
    private readonly client: TenantClient,
    own: Readonly<Record<string, unknown>>,
  ) {
    // What the borrower writes lands here, and covers what the client has.
    const target = Object.assign(Object.create(Object.getPrototypeOf(client) as object) as object, own);
    this.proxy = new Proxy(target, {
      get: (_, property) => this.#get(target, property),
      has: (_, property) => property in target || property in client,
    }) as unknown as PoolClient;
  }

  /** Leaves the client as it was; what is done with the handle from now on does not reach it. */
  takeOff(): void {
    this.#isOver = true;
    for (const [event, forward] of this.#forwarders) this.client.removeListener(event, forward);
    this.#forwarders.clear();
    this.#listeners?.removeAllListeners();
    if (this.#parsersBefore) this.client._types = this.#parsersBefore;
  }

  #get(target: object, property: PropertyKey): unknown {
    if (Object.hasOwn(target, property)) return Reflect.get(target, property);
    const { client } = this;
    if (LISTENING.has(property)) {
      return (...args: unknown[]) => {
        if (ADDS_LISTENER.has(property)) this.#forward(args[0] as string);
        const listeners = (this.#listeners ??= new EventEmitter());
        const result = (listeners[property as keyof EventEmitter] as Method)(...args);
        return result === listeners ? this.proxy : result;
      };
    }
    // pg's methods need the client itself, whose private fields no handle has.
    const value: unknown = Reflect.get(client, property, client);
    if (typeof value !== 'function') return value;
    return (...args: unknown[]) => {
      if (this.#isOver && CHANGES_CLIENT.has(property)) throw new LeaseEndedError();
      if (property === 'setTypeParser') this.#coverParsers();
      const result = (value as Method).apply(client, args);
      return result === client ? this.proxy : result;
    };
  }

  #forward(event: string | symbol): void {
    if (this.#isOver || this.#forwarders.has(event)) return;
    const forward = (...args: unknown[]): void => {
      // An `error` that nobody listens to any more would be thrown.
      if (this.#listeners?.listenerCount(event)) this.#listeners.emit(event, ...args);
    };
    this.#forwarders.set(event, forward);
    this.client.on(event as 'drain', forward);
  }

  #coverParsers(): void {
    if (this.#parsersBefore) return;
    this.#parsersBefore = this.client._types;
    this.client._types = new TypeOverrides(this.#parsersBefore);
  }
}
