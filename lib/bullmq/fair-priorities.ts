import { Injectable } from '@nestjs/common';
import type { IRedisClient, RedisQueueBackend } from 'bullmq';

/** BullMQ's own limit. */
const LAST_PRIORITY = 2 ** 21 - 1;

/** Beside the uuids of tenants, in the hash of priorities. */
const NOBODY = 'nobody';

const COMMAND = 'tenancyPriorities';

/**
 * Gives `n` priorities to a tenant. This is start-time fair queueing, with the priorities of BullMQ as its times. The present
 * time is the priority of the job that is next. Each job of a tenant gets the priority behind the tenant's last one, but none
 * before the present. So a round through all priorities runs one job of each tenant that has some. When nothing waits, time
 * begins anew. Priorities are bounded: when they are used up, all that waits is moved to the front together.
 */
const TAKE = `
  local waiting, given = KEYS[1], KEYS[2]
  local owner, n, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
  local unit = 4294967296
  local head = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
  local now = 1
  if head then
    local known = tonumber(redis.call('HGET', given, 'now')) or 1
    now = math.max(math.floor(tonumber(head) / unit), known)
  else
    redis.call('DEL', given)
  end
  local first = math.max(now, (tonumber(redis.call('HGET', given, owner)) or 0) + 1)
  if head and first + n - 1 > last then
    local by = math.floor(tonumber(head) / unit) - 1
    if by > 0 then
      local count = redis.call('ZCARD', waiting)
      for start = 0, count - 1, 1000 do
        local page = redis.call('ZRANGE', waiting, start, start + 999, 'WITHSCORES')
        for i = 1, #page, 2 do redis.call('ZINCRBY', waiting, string.format('%.0f', -by * unit), page[i]) end
      end
      local all = redis.call('HGETALL', given)
      for i = 1, #all, 2 do redis.call('HSET', given, all[i], math.max(0, tonumber(all[i + 1]) - by)) end
      now, first = math.max(1, now - by), first - by
    end
  end
  redis.call('HSET', given, owner, math.min(last, first + n - 1), 'now', now)
  if ARGV[4] then redis.call('HSET', KEYS[3], 'priority', math.min(last, first)) end
  return first`;

interface PrioritiesFor {
  readonly owner: string | undefined;
  readonly count: number;
  /**
   * Whether they are for later: jobs that are delayed or tried again are counted apart, so that a tenant's other jobs do not
   * wait behind them meanwhile.
   */
  readonly isLater?: boolean;
}

/** Fair turns between the tenants of a queue, whichever of them has added more jobs. */
@Injectable()
export class FairPriorities {
  readonly #known = new WeakSet<IRedisClient>();

  /** The priorities of so many jobs, in the order in which they are added. */
  async take(backend: RedisQueueBackend, wanted: PrioritiesFor): Promise<readonly number[]> {
    const first = await this.#run(backend, wanted);
    return Array.from({ length: wanted.count }, (_, index) => Math.min(LAST_PRIORITY, first + index));
  }

  /** Gives a job that runs the priority with which it comes back to wait. */
  async renew(backend: RedisQueueBackend, jobId: string, owner: string | undefined): Promise<void> {
    await this.#run(backend, { owner, count: 1, isLater: true }, backend.toKey(jobId));
  }

  /** Forgets which priorities a tenant was given. */
  async forget(backend: RedisQueueBackend, owner: string): Promise<void> {
    const client = await backend.client;
    await client.hdel(prioritiesOf(backend), ownerKey(owner), ownerKey(owner, true));
  }

  async #run(
    backend: RedisQueueBackend,
    { owner, count, isLater }: PrioritiesFor,
    jobKey?: string,
  ): Promise<number> {
    const client = await backend.client;
    if (!this.#known.has(client)) {
      client.defineCommand(COMMAND, { numberOfKeys: 3, lua: TAKE });
      this.#known.add(client);
    }
    const { prioritized } = backend.keys;
    const given = prioritiesOf(backend);
    const keys = [prioritized, given, jobKey ?? given];
    const renewal = jobKey === undefined ? [] : ['renew'];
    return Number(
      await client.runCommand(COMMAND, [...keys, ownerKey(owner, isLater), count, LAST_PRIORITY, ...renewal]),
    );
  }
}

/** In the same slot of a Redis Cluster as the queue's other keys. */
function prioritiesOf(backend: RedisQueueBackend): string {
  return backend.toKey('tenancy-priorities');
}

/** Under which a tenant's turns are counted. */
export function ownerKey(owner = NOBODY, isLater = false): string {
  return isLater ? `${owner} later` : owner;
}
