import { LRUCache } from 'lru-cache';
import type { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { explainAbsent } from '../common/absent-package';
import { type RateLimitState, RateLimitStorage } from './rate-limit-storage';
import type { RateLimit } from './rate-limit';

/** The members of a `Redis` or a `Cluster` of ioredis that we use. */
export interface RedisClient {
  readonly status: string;
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/**
 * Replaces the library's own script, which also counts refused requests: a heavy request that does not fit would take
 * the rest of the window from lighter ones. None of its options or methods leaves a refused request uncounted (11.4), and
 * `reward()` afterwards would come too late for the requests in between. The arguments are the weight, whole seconds (unused), the limit, and the
 * window in seconds.
 */
const TAKE = `
  local weight, limit, window = tonumber(ARGV[1]), tonumber(ARGV[3]), math.ceil(tonumber(ARGV[4]) * 1000)
  local used = tonumber(redis.call('get', KEYS[1]) or '0') + weight
  if used <= limit then redis.call('incrby', KEYS[1], weight) end
  local left = redis.call('pttl', KEYS[1])
  if left < 0 then
    redis.call('pexpire', KEYS[1], window)
    left = window
  end
  return { used, left }`;

/** A limiter of the library has one limit, and `limitsOf` may return any number of limits. */
const MAX_LIMITERS = 1_000;

/**
 * Counts in Redis, which all instances share. Each request is one script, so two requests cannot take the same
 * remainder. Windows end by the clock of the Redis server. Needs the package `rate-limiter-flexible`, and a client of
 * `ioredis`.
 */
export class RedisRateLimits extends RateLimitStorage {
  readonly #limiters = new LRUCache<string, RateLimiterRedis>({ max: MAX_LIMITERS });

  /**
   * The client remains yours: you configure what it does without Redis, and you close it. While it is not connected,
   * requests are not queued; they fail to be counted at once.
   *
   * @param keyPrefix of all keys, which are `<prefix>:<tenant's id>:<name of the limit>`
   */
  constructor(
    private readonly client: RedisClient,
    private readonly keyPrefix = 'tenancy:rate',
  ) {
    super();
  }

  override async take(key: string, weight: number, rate: RateLimit): Promise<RateLimitState> {
    const limiter = this.#limiterOf(rate);
    // The library rejects a refused request with a result instead of an error.
    const result = await limiter.consume(key, weight).catch((reason: RateLimiterRes | Error) => {
      if (reason instanceof Error || !('consumedPoints' in reason)) throw reason;
      return reason;
    });
    const isRefused = result.consumedPoints > rate.limit;
    const used = result.consumedPoints - (isRefused ? weight : 0);
    return { isRefused, remaining: Math.max(0, rate.limit - used), resetMs: result.msBeforeNext };
  }

  #limiterOf({ limit, windowMs }: RateLimit): RateLimiterRedis {
    const name = `${limit}/${windowMs}`;
    const known = this.#limiters.get(name);
    if (known) return known;
    const { RateLimiterRedis } = loadLimiters();
    const limiter = new RateLimiterRedis({
      storeClient: scriptsOnly(this.client),
      // Otherwise the library would define a command on the client, for all limiters of the application that share it.
      useRedisPackage: true,
      customIncrTtlLuaScript: TAKE,
      rejectIfRedisNotReady: true,
      keyPrefix: this.keyPrefix,
      points: limit,
      duration: windowMs / 1000,
    });
    this.#limiters.set(name, limiter);
    return limiter;
  }
}

function loadLimiters(): typeof import('rate-limiter-flexible') {
  try {
    return require('rate-limiter-flexible') as typeof import('rate-limiter-flexible');
  } catch (error) {
    throw explainAbsent(error, 'rate-limiter-flexible', 'counting requests in Redis');
  }
}

/** The client in the shape of one from the package `redis`, which the library calls. */
function scriptsOnly(client: RedisClient) {
  return {
    get status() {
      return client.status;
    },
    eval: (script: string, { keys, arguments: args }: { keys: string[]; arguments: string[] }) =>
      client.eval(script, keys.length, ...keys, ...args),
  };
}
