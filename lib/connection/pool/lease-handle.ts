import type { EventEmitter } from 'node:events';
import { type PoolClient, TypeOverrides } from 'pg';
import { LeaseEndedError } from '../connection.errors';
import type { TenantClient } from '../protocol/tenant-client';

const ADDS_LISTENER: ReadonlySet<PropertyKey> = new Set<keyof EventEmitter>([
  'on',
  'addListener',
  'once',
  'prependListener',
  'prependOnceListener',
]);

const REMOVES_LISTENER: ReadonlySet<PropertyKey> = new Set<keyof EventEmitter>(['off', 'removeListener']);

/** Methods that an old handle must not call on a client that others now use. */
const CHANGES_CLIENT: ReadonlySet<PropertyKey> = new Set<keyof TenantClient>([
  'setTypeParser',
  'end',
  'emit',
]);

/** The property of a leased client by which code of this package finds its lease. */
export const LEASE = Symbol('lease');

/** What a borrower is given in place of the client's own. */
interface HandledLease {
  readonly query: unknown;
  readonly release: unknown;
}

type Method = (...args: unknown[]) => unknown;
type Listener = (...args: unknown[]) => void;

/**
 * A client for one borrower: pg's own in every respect, but nothing that is added to it reaches the next borrower.
 * Listeners and type parsers are removed at the end, and a property that is written is seen through this handle alone.
 */
export class LeaseHandle {
  readonly proxy: PoolClient;
  /** Listeners that it has added and not removed, in turns: an event, and the listener. */
  #listeners: [event: string, listener: Listener][] | undefined;
  #parsersBefore: TypeOverrides | undefined;
  #isOver = false;

  constructor(
    private readonly client: TenantClient,
    lease: HandledLease,
  ) {
    // What the borrower writes is kept here, and hides what the client has.
    const target = Object.create(Object.getPrototypeOf(client) as object) as Record<PropertyKey, unknown>;
    target.query = lease.query;
    target.release = lease.release;
    target[LEASE] = lease;
    this.proxy = new Proxy(target, this) as unknown as PoolClient;
  }

  /** Restores the client. From now on the handle does not reach it. */
  takeOff(): void {
    this.#isOver = true;
    this.#removeAll();
    if (this.#parsersBefore) this.client._types = this.#parsersBefore;
  }

  /** Of the proxy. */
  has(target: object, property: PropertyKey): boolean {
    return property in target || property in this.client;
  }

  /** The same. */
  get(target: object, property: PropertyKey): unknown {
    if (Object.hasOwn(target, property)) return Reflect.get(target, property);
    const { client } = this;
    // pg's methods need the client itself, whose private fields no handle has.
    const value: unknown = Reflect.get(client, property, client);
    if (typeof value !== 'function') return value;
    return (...args: unknown[]) => {
      if (!this.#mayReach(property, args)) return this.proxy;
      const result = (value as Method).apply(client, args);
      return result === client ? this.proxy : result;
    };
  }

  /** Notes the listeners that a call adds, and stops calls that would remove those of others. */
  #mayReach(property: PropertyKey, args: unknown[]): boolean {
    if (ADDS_LISTENER.has(property)) {
      if (this.#isOver) return false;
      (this.#listeners ??= []).push(args as [string, Listener]);
    } else if (REMOVES_LISTENER.has(property)) {
      return this.#forget(args as [string, Listener]);
    } else if (property === 'removeAllListeners') {
      this.#removeAll(args[0]);
      return false;
    } else if (CHANGES_CLIENT.has(property)) {
      if (this.#isOver) throw new LeaseEndedError();
      if (property === 'setTypeParser') this.#coverParsers();
    }
    return true;
  }

  #forget([event, listener]: [string, Listener]): boolean {
    const listeners = this.#listeners ?? [];
    const index = listeners.findLastIndex((each) => each[0] === event && each[1] === listener);
    if (index !== -1) listeners.splice(index, 1);
    return index !== -1;
  }

  /** Removes only the listeners that this handle has added. */
  #removeAll(only?: unknown): void {
    for (const [event, listener] of this.#listeners ?? [])
      if (only === undefined || event === only) this.client.removeListener(event, listener);
  }

  #coverParsers(): void {
    if (this.#parsersBefore) return;
    this.#parsersBefore = this.client._types;
    this.client._types = new TypeOverrides(this.#parsersBefore);
  }
}
