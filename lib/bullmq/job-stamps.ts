import { Injectable } from '@nestjs/common';
import type { Job, JobsOptions, PostgresQueueBackend, RedisQueueBackend } from 'bullmq';
import { TenantRequiredError } from '../context/context.errors';
import { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';
import { claimedTenantId } from '../resolution/carried/carried-token';
import { CarriedTokenError } from '../resolution/carried/carried.errors';
import { TenantCarrier } from '../resolution/carried/tenant-carrier';
import { isRedis } from './packages';

/** The key in a job's options under which all of ours is. */
const KEY = 'tenancy';

const TIME = 'tenancyTime';

type Backend = RedisQueueBackend | PostgresQueueBackend;

/** What a job's options hold of ours. Short names, since each job has it. */
interface Stamp {
  /** The signed token: for which tenant, queue, name and data. */
  readonly t: string;
  /** The same for data that are about to replace these. */
  readonly u?: string;
  /** Whether its priority is ours to give. */
  readonly f?: 1;
  /** The job that is held for its tenant, and since when. A scheduler's next job inherits the options. */
  readonly h?: string;
  readonly s?: number;
}

interface NewStamp<Options extends object> {
  readonly options: (Options & { readonly tenantFree?: boolean }) | undefined;
  /** Whether the job is to have its turn among those of other tenants. */
  readonly isFair: boolean;
}

/** A job's options with what we add to them. */
export type TenantJobsOptions = JobsOptions & {
  /** The job belongs to no tenant, and its processor runs without one. Default false: it is the current tenant's. */
  readonly tenantFree?: boolean;
};

/** Whose a job is, signed for its queue, its name and its data, so that none of them can be changed in the queue. */
@Injectable()
export class JobStamps {
  constructor(
    private readonly carrier: TenantCarrier,
    private readonly context: TenantContext,
  ) {}

  /**
   * The options of a new job, for the tenant of the current code.
   *
   * @throws TenantRequiredError without one
   */
  stamped<Options extends object>(
    queue: string,
    name: string,
    data: unknown,
    { options, isFair }: NewStamp<Options>,
  ): Options {
    const { tenantFree, ...own } = options ?? ({} as NonNullable<typeof options>);
    const tenant = tenantFree ? undefined : this.context.find();
    if (!tenantFree && !tenant) throw new TenantRequiredError(NO_TENANT(queue, name));
    const stamp: Stamp = { t: this.#sign(tenant, queue, name, data), ...(isFair && { f: 1 }) };
    return { ...own, [KEY]: stamp } as unknown as Options;
  }

  /** Whether its priority is ours to give. */
  isFair(job: Job): boolean {
    return stampOf(job)?.f === 1;
  }

  /** The id of the current tenant. */
  owner(): string | undefined {
    return this.context.find()?.id;
  }

  /**
   * The id of a job's tenant, when it is as it was added. `undefined`: it was added for no tenant.
   *
   * @throws CarriedTokenError
   */
  read(job: Job): string | undefined {
    const stamp = stampOf(job);
    const expectation = { purpose: purposeOf(job.queueName), payload: payloadOf(job.name, job.data) };
    try {
      return this.carrier.read(stamp?.t, expectation);
    } catch (error) {
      if (stamp?.u === undefined || (error as CarriedTokenError).problem !== 'payload') throw error;
      return this.carrier.read(stamp.u, expectation);
    }
  }

  /** Replaces a job's data and its token. A crash in the middle leaves a job that is good with the old data. */
  async replaceData(job: Job, tenant: Tenant | undefined, data: unknown, replace: () => Promise<void>) {
    const expectation = { purpose: purposeOf(job.queueName), payload: payloadOf(job.name, job.data) };
    const stamp = stampOf(job)!;
    const t = isGood(() => this.carrier.read(stamp.t, expectation)) ? stamp.t : (stamp.u ?? stamp.t);
    await write(job, { ...stamp, t, u: this.#sign(tenant, job.queueName, job.name, data) });
    await replace();
  }

  /** Since when a job is held, in milliseconds since 1970, by the clock of `queueTime`. */
  heldSince(job: Job): number | undefined {
    const { h, s } = stampOf(job) ?? {};
    return h === job.id && typeof s === 'number' ? s : undefined;
  }

  async holdSince(job: Job, since: number): Promise<void> {
    await write(job, { ...stampOf(job)!, h: job.id, s: since });
  }

  #sign(tenant: Tenant | undefined, queue: string, name: string, data: unknown): string {
    return this.carrier.sign(tenant, purposeOf(queue), { payload: payloadOf(name, data) });
  }
}

/** Whose these options say that they are. It proves nothing. */
export function claimedOwner(options: unknown): string | undefined {
  return claimedTenantId((options as { [KEY]?: Partial<Stamp> } | undefined)?.[KEY]?.t);
}

/**
 * Milliseconds since 1970 by the clock of the queue's server. By an instance's own one, which may be ahead, a job that has just
 * been held would fail.
 */
export async function queueTime(job: Job): Promise<number> {
  const { backend } = job as unknown as { backend: Backend };
  if (!isRedis(backend)) {
    const { rows } = await poolOf(backend).query(
      'SELECT EXTRACT(epoch FROM clock_timestamp()) * 1000 AS now',
      [],
    );
    return Math.floor(Number(rows[0].now));
  }
  const client = await backend.client;
  client.defineCommand(TIME, { numberOfKeys: 1, lua: `return redis.call('TIME')` });
  const [seconds, micros] = (await client.runCommand(TIME, [backend.toKey(job.id!)])) as [string, string];
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

function stampOf(job: Job): Stamp | undefined {
  const stamp = (job.opts as { [KEY]?: unknown })[KEY];
  return typeof stamp === 'object' && stamp !== null ? (stamp as Stamp) : undefined;
}

function purposeOf(queue: string): string {
  return `bullmq ${queue}`;
}

/** BullMQ keeps `{}` for data that are `undefined`. PostgreSQL's jsonb has an order of keys of its own. */
function payloadOf(name: string, data: unknown): string {
  return `${name}\n${JSON.stringify(data ?? (data === null ? null : {}), inOrder)}`;
}

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  for (let index = 1; index < keys.length; index++)
    if (keys[index] < keys[index - 1]) return Object.fromEntries(Object.entries(value).sort(byKey));
  return value;
}

function byKey([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1;
}

function isGood(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

/** Changes what is kept of a job's options. BullMQ has no call for it. */
async function write(job: Job, stamp: Stamp): Promise<void> {
  Object.assign(job.opts, { [KEY]: stamp });
  const { backend } = job as unknown as { backend: Backend };
  if (!isRedis(backend)) return writePostgres(backend, job, stamp);
  const client = await backend.client;
  const key = backend.toKey(job.id!);
  const kept = JSON.parse((await client.hget(key, 'opts')) ?? '{}') as object;
  await client.hset(key, { opts: JSON.stringify({ ...kept, [KEY]: stamp }) });
}

async function writePostgres(backend: PostgresQueueBackend, job: Job, stamp: Stamp): Promise<void> {
  const sql = 'UPDATE job SET opts = opts || $3::jsonb WHERE queue = $1 AND id = $2';
  await poolOf(backend).query(sql, [job.queueName, job.id, JSON.stringify({ [KEY]: stamp })]);
}

interface QueryPool {
  query(sql: string, values: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

function poolOf(backend: PostgresQueueBackend): QueryPool {
  return (backend as unknown as { connection: { pool: QueryPool } }).connection.pool;
}

const NO_TENANT = (queue: string, name: string) =>
  `The job "${name}" of the queue "${queue}" was to be added without a tenant. Add it in a request or another piece of work of a tenant, ` +
  'inside TenantContext.run(tenant, work), or say that it belongs to nobody: { tenantFree: true }.';
