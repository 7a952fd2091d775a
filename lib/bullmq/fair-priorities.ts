import { Injectable } from '@nestjs/common';
import type { IRedisClient, RedisQueueBackend } from 'bullmq';

/** BullMQ's own limit. */
const LAST_PRIORITY = 2 ** 21 - 1;

/**
 * The priority of jobs that have no place yet, because their time has not come: those that are delayed, a scheduler's, those
 * that are tried again, parents. BullMQ brings them to the front when it has; there a worker takes one, and gives all of them
 * their places.
 */
export const UNPLACED = 1;

/** Beside the uuids of tenants, in the hash of priorities. */
const NOBODY = 'nobody';

/** How many jobs are given their places in one call: Redis does nothing else meanwhile. */
const PLACES_AT_ONCE = 1_000;

/**
 * `give()` gives `n` priorities to a tenant, and `keep()` notes what was given. This is start-time fair queueing, with the
 * priorities of BullMQ as its times. The present time is the priority of the job that is next. Each job of a tenant gets the
 * priority behind the tenant's last one, but none before the present. So a round through all priorities runs one job of each
 * tenant that has some. When nothing waits, time begins anew. Priorities are bounded: when half of them are used up, all that waits
 * is moved to the front together.
 */
const GIVE = `
  local waiting, given = KEYS[1], KEYS[2]
  local last = ${LAST_PRIORITY}
  local unit = 4294967296
  local start = ${UNPLACED + 1}
  local start_score = string.format('%.0f', start * unit)

  local function front()
    local score = redis.call('ZRANGEBYSCORE', waiting, start_score, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    return score and math.floor(tonumber(score) / unit)
  end

  local function move_all(by)
    local step = string.format('%.0f', -by * unit)
    local first = redis.call('ZCOUNT', waiting, '-inf', '(' .. start_score)
    for from = first, redis.call('ZCARD', waiting) - 1, 1000 do
      local page = redis.call('ZRANGE', waiting, from, from + 999)
      for i = 1, #page do redis.call('ZINCRBY', waiting, step, page[i]) end
    end
    local all = redis.call('HGETALL', given)
    for i = 1, #all, 2 do redis.call('HSET', given, all[i], math.max(0, tonumber(all[i + 1]) - by)) end
  end

  local now, lasts = start, {}
  local head = front()
  if head then
    if head > start + last / 2 then
      move_all(head - start)
      head = start
    end
    now = math.max(head, tonumber(redis.call('HGET', given, 'now')) or start)
  else
    redis.call('DEL', given)
  end

  local function give(owner, n)
    local first = math.max(now, (lasts[owner] or tonumber(redis.call('HGET', given, owner)) or 0) + 1)
    lasts[owner] = math.min(last, first + n - 1)
    return math.min(last, first)
  end

  local function keep()
    lasts.now = now
    for name, value in pairs(lasts) do redis.call('HSET', given, name, value) end
  end`;

const TAKE = `${GIVE}
  local first = give(ARGV[1], tonumber(ARGV[2]))
  keep()
  return first`;

/**
 * Gives places to the job that a worker has taken from the front, and to those there that have none. Answers whether the job's
 * turn has come: nothing that waits is before it.
 */
const PLACE = `${GIVE}
  local prefix, taken = ARGV[1], ARGV[2]

  local function owner_of(id)
    local known, opts = pcall(cjson.decode, redis.call('HGET', prefix .. id, 'opts') or '')
    local token = known and type(opts) == 'table' and type(opts.tenancy) == 'table' and opts.tenancy.t
    local owner = type(token) == 'string' and string.match(token, ':([%x-]+):[%w_-]+$')
    return owner or '${NOBODY}'
  end

  local function place(id)
    local priority = give(owner_of(id), 1)
    redis.call('HSET', prefix .. id, 'priority', priority)
    return priority
  end

  local own = place(taken)
  local ids = redis.call('ZRANGEBYSCORE', waiting, '-inf', '(' .. start_score, 'LIMIT', 0, ${PLACES_AT_ONCE})
  local counter = redis.call('INCRBY', KEYS[3], #ids) - #ids
  for i = 1, #ids do
    local score = place(ids[i]) * unit + (counter + i) % unit
    redis.call('ZADD', waiting, string.format('%.0f', score), ids[i])
  end
  keep()
  local before = front()
  if not before or own <= before then return 1 end
  -- Its start does not count: it has only been given its place.
  redis.call('HINCRBY', prefix .. taken, 'ats', -1)
  return 0`;

/** Fair turns between the tenants of a queue, whichever of them has added more jobs. */
@Injectable()
export class FairPriorities {
  readonly #known = new WeakSet<IRedisClient>();

  /** The priorities of so many jobs of a tenant, in the order in which they are added. */
  async take(
    backend: RedisQueueBackend,
    owner: string | undefined,
    count: number,
  ): Promise<readonly number[]> {
    const first = await this.#run(backend, 'tenancyTake', [owner ?? NOBODY, count]);
    return Array.from({ length: count }, (_, index) => Math.min(LAST_PRIORITY, first + index));
  }

  /**
   * Gives a place to the job that a worker has taken, and to all at the front that have none. Gives back whether it is its turn:
   * else it must go back to wait.
   */
  async place(backend: RedisQueueBackend, jobId: string): Promise<boolean> {
    return (await this.#run(backend, 'tenancyPlace', [backend.toKey(''), jobId])) === 1;
  }

  /** Forgets which priorities a tenant was given. */
  async forget(backend: RedisQueueBackend, owner: string): Promise<void> {
    const client = await backend.client;
    await client.hdel(prioritiesOf(backend), owner);
  }

  async #run(
    backend: RedisQueueBackend,
    command: 'tenancyTake' | 'tenancyPlace',
    given: readonly (string | number)[],
  ): Promise<number> {
    const client = await backend.client;
    if (!this.#known.has(client)) {
      client.defineCommand('tenancyTake', { numberOfKeys: 3, lua: TAKE });
      client.defineCommand('tenancyPlace', { numberOfKeys: 3, lua: PLACE });
      this.#known.add(client);
    }
    const { prioritized, pc } = backend.keys;
    return Number(await client.runCommand(command, [prioritized, prioritiesOf(backend), pc, ...given]));
  }
}

/** In the same slot of a Redis Cluster as the queue's other keys. */
function prioritiesOf(backend: RedisQueueBackend): string {
  return backend.toKey('tenancy-priorities');
}
