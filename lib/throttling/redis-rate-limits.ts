import { LRUCache } from 'lru-cache';
import type { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { explainAbsent } from '../common/absent-package';
import { type RateLimitState, RateLimitStorage } from './rate-limit-storage';
import type { RateLimit } from './rate-limit';

/** What is needed of a `Redis` or a `Cluster` of ioredis. */
export interface RedisClient {
  readonly status: string;
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/**
 * Instead of the library's own, which counts what it refuses: a heavy request that does not fit would take what is left
 * from all the light ones. Given are the weight, whole seconds, the limit and the seconds of the window.
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

/** A limiter of the library has one limit; those of `limitsOf` may be any number. */
const MAX_LIMITERS = 1_000;

/**
 * Counts in Redis, which all instances share: one script for each, so two requests never take the same rest. Windows end
 * by the clock of the Redis server. Needs the package `rate-limiter-flexible`, and a client of `ioredis`.
 */
export class RedisRateLimits extends RateLimitStorage {
  readonly #limiters = new LRUCache<string, RateLimiterRedis>({ max: MAX_LIMITERS });

  /**
   * The client stays yours: what it does when Redis is gone, and when it is closed. While it is not connected nothing is
   * queued: requests cannot be counted, at once.
   *
   * @param keyPrefix of all keys, `<prefix>:<tenant's id>:<name of the limit>`
   */
  constructor(
    private readonly client: RedisClient,
    private readonly keyPrefix = 'tenancy:rate',
  ) {
    super();
  }

  override async take(key: string, weight: number, rate: RateLimit): Promise<RateLimitState> {
    const limiter = this.#limiterOf(rate);
    // Refused is rejected, with a result instead of an error.
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
      // It would define a command on the client, for all limiters of the application that share it.
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
    throw explainAbsent(error, 'rate-limiter-flexible', 'the counting of rates in Redis');
  }
}

/** The client as the library calls one of the package `redis`. */
function scriptsOnly(client: RedisClient) {
  return {
    get status() {
      return client.status;
    },
    eval: (script: string, { keys, arguments: args }: { keys: string[]; arguments: string[] }) =>
      client.eval(script, keys.length, ...keys, ...args),
  };
}
