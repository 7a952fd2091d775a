import { Injectable } from '@nestjs/common';
import type { Job, RedisQueueBackend } from 'bullmq';
import { isRedis } from './packages';

/** Knows which job of a scheduler is held, so that a suspended tenant's do not pile up. On Redis only. */
@Injectable()
export class HeldSchedulers {
  /** Whether a job of the same scheduler waits already. If none does, this one is noted. */
  async hasOther(job: Job): Promise<boolean> {
    const { backend, repeatJobKey, id } = job as Job & { backend: object };
    if (repeatJobKey === undefined || id === undefined || !isRedis(backend)) return false;
    const client = await backend.client;
    const other = await client.hget(heldOf(backend), repeatJobKey);
    if (other && other !== id) {
      const [addedAt, finishedOn] = await client.hmget(backend.toKey(other), 'timestamp', 'finishedOn');
      if (addedAt !== null && finishedOn === null) return true;
    }
    await client.hset(heldOf(backend), { [repeatJobKey]: id });
    return false;
  }

  async forget(backend: RedisQueueBackend, scheduler: string): Promise<void> {
    await (await backend.client).hdel(heldOf(backend), scheduler);
  }
}

function heldOf(backend: RedisQueueBackend): string {
  return backend.toKey('tenancy-held');
}
