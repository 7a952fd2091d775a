import { createHash } from 'node:crypto';
import { NoAnswerError, within } from '../common/within';
import { TenancyUnavailableError } from '../common/tenancy.errors';

/** A `Redis` or a `Cluster` of ioredis, which is never used itself: connections like it are made. */
export interface RedisClient {
  readonly isCluster: boolean;
  readonly options: object;
  duplicate(...changes: never[]): unknown;
}

/** What we use of such a connection. */
export interface OwnClient {
  readonly status: string;
  connect(): Promise<void>;
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  evalsha(sha: string, keyCount: number, ...rest: readonly string[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...rest: readonly string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  info(section: string): Promise<string>;
  config(command: 'GET', name: string): Promise<string[]>;
  nodes?(role: 'master'): OwnClient[];
}

interface ClientOptions {
  readonly keyPrefix?: string;
  readonly redisOptions?: { readonly keyPrefix?: string };
  readonly reconnectOnError?: unknown;
}

const REGISTRY = 'The tenant registry';

/** Beginnings of what Redis says when it cannot do now what it was asked to: it loads, is a replica, is full, is busy, … */
const NOT_NOW =
  /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF|NOREPLICAS|UNBLOCKED|FAILOVER|MOVED|ASK)\b/;

/** What ioredis says when a command was not sent, or its answer is lost. */
const NOT_REACHED =
  /^(?:Connection is closed|Stream isn't writeable|Command timed out|Socket timeout|Cluster isn't ready|Failed to refresh slots cache|None of startup nodes|All sentinels are unreachable|Too many Cluster redirections|Reached the max retries per request|connect ETIMEDOUT)/;

/** A connection like the application's own, but that neither keeps commands for later nor sends them twice. */
export function duplicate(client: RedisClient, timeoutMs: number, more: object = {}): OwnClient {
  const options = client.options as ClientOptions;
  const single = {
    lazyConnect: true,
    keyPrefix: '',
    // A command that was refused to its caller must not be run when Redis is back.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: timeoutMs,
    connectTimeout: timeoutMs,
    // Half a connection is found out by what is not answered.
    socketTimeout: timeoutMs,
    // Its server has become a replica: the name may lead to another one by now.
    reconnectOnError: options.reconnectOnError ?? ((error: Error) => error.message.startsWith('READONLY')),
    ...more,
  };
  const make = client.duplicate.bind(client) as (...changes: unknown[]) => OwnClient;
  const own = client.isCluster
    ? make([], {
        lazyConnect: true,
        keyPrefix: '',
        enableOfflineQueue: false,
        // A replica may be behind.
        scaleReads: 'master',
        redisOptions: { ...options.redisOptions, ...single },
        ...(more as { clusterRetryStrategy?: unknown }),
      })
    : make(single);
  // Without a listener ioredis writes each failed attempt to the console. Commands say that Redis is away.
  own.on('error', () => undefined);
  return own;
}

/** What ioredis would put in front of the names of keys. It does not of channels, so we do it ourselves. */
export function prefixOf({ options }: RedisClient): string {
  const { keyPrefix, redisOptions } = options as ClientOptions;
  return keyPrefix || redisOptions?.keyPrefix || '';
}

/** Runs scripts on a connection that is opened when it is first needed, and again after it was closed. */
export class RedisConnection {
  #client?: OwnClient;
  #opening?: Promise<OwnClient>;
  /** Why it is not connected, which commands do not tell: that a login was refused, or that nobody listens there. */
  #why?: unknown;
  /** The names by which Redis knows scripts. */
  readonly #digests = new Map<string, string>();

  constructor(
    private readonly like: RedisClient,
    private readonly timeoutMs: number,
  ) {}

  /** @throws TenancyUnavailableError */
  async run(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    try {
      const client = await this.#open();
      try {
        return await client.evalsha(this.#digestOf(script), keys.length, ...keys, ...args);
      } catch (error) {
        // Redis was restarted, or it is another one, or somebody has emptied its cache of scripts.
        if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
        return await client.eval(script, keys.length, ...keys, ...args);
      }
    } catch (error) {
      throw explain(error, this.#why);
    }
  }

  /** Those that hold data: itself, or the masters of a cluster. @throws TenancyUnavailableError */
  async servers(): Promise<readonly OwnClient[]> {
    const client = await this.#open().catch((error: unknown) => {
      throw explain(error, this.#why);
    });
    return client.nodes?.('master') ?? [client];
  }

  close(): void {
    this.#client?.disconnect();
    this.#client = this.#opening = undefined;
  }

  async #open(): Promise<OwnClient> {
    if (this.#opening) return this.#opening;
    if (this.#client && this.#client.status !== 'end') return this.#client;
    const opening = this.#connect().finally(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    return (this.#opening = opening);
  }

  async #connect(): Promise<OwnClient> {
    const client = (this.#client = duplicate(this.like, this.timeoutMs));
    client.on('connect', () => unref(client));
    client.on('error', (error: unknown) => (this.#why = error));
    client.on('ready', () => (this.#why = undefined));
    try {
      // A cluster that is away is tried again without end.
      await within(this.timeoutMs, client.connect());
      return client;
    } catch (error) {
      client.disconnect();
      if (this.#client === client) this.#client = undefined;
      throw error;
    }
  }

  #digestOf(script: string): string {
    const known = this.#digests.get(script);
    if (known) return known;
    const digest = createHash('sha1').update(script).digest('hex');
    this.#digests.set(script, digest);
    return digest;
  }
}

/** A script that forgets to close ends all the same: what waits for an answer has a timer. */
export function unref(client: OwnClient): void {
  (client as { stream?: { unref?(): void } }).stream?.unref?.();
}

function messageOf(error: unknown): string {
  return String((error as { message?: unknown } | undefined)?.message ?? error);
}

/** An outage as what callers are told of it; an answer that Redis gave, such as that it refuses a command, as it came. */
function explain(error: unknown, why: unknown = error): unknown {
  for (const each of [error, why])
    // With it the password of a login that was refused would be printed, or the whole script and the tenant.
    if (typeof each === 'object' && each !== null) delete (each as { command?: unknown }).command;
  const message = messageOf(error);
  if (error instanceof NoAnswerError || NOT_REACHED.test(message) || isOfSystem(error))
    return new TenancyUnavailableError(REGISTRY, { cause: why });
  return NOT_NOW.test(message) || /Script killed by user/i.test(message)
    ? new TenancyUnavailableError(REGISTRY, { cause: error })
    : error;
}

/** Whether it is of a socket or a resolver. */
function isOfSystem(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  return typeof code === 'string' && (syscall !== undefined || /^E[A-Z]+$/.test(code));
}
