import { randomUUID } from 'node:crypto';
import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { checkArguments } from '../common/options/check-options';
import { text, waiting } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import type { AuditQuery, AuditRecord, TenantAction } from '../registry/events/tenant-audit';
import { TenantChangesListener } from '../registry/changes/tenant-changes-listener';
import { isUuid, normalizeClaim } from '../registry/claim';
import {
  givenChanges,
  matches,
  type NewTenant,
  type TenantQuery,
  TenantStore,
  type TenantUpdate,
  type TenantWriteOptions,
} from '../registry/store/tenant.store';
import type { Tenant, TenantClaim } from '../registry/tenant';
import { pick, tenantFields } from '../registry/tenant';
import { DomainTakenError, SchemaNameTakenError, TenantSlugTakenError } from '../registry/tenant.errors';
import { readAudit, writeAudit } from './audit-text';
import { RedisChangesSession } from './redis-changes-session';
import { prefixOf, RedisConnection, type RedisClient } from './redis-connection';
import {
  RedisRegistryDamagedError,
  RedisRegistryLayoutError,
  RedisRegistryMissingError,
} from './redis.errors';
import { adviceFor } from './redis-advice';
import {
  AUDIT,
  BEAT,
  CHANGE,
  CREATE,
  FIND,
  INSERT,
  LAYOUT,
  LIST,
  OPEN,
  REGISTRY_KEYS,
  REMOVE,
} from './redis-scripts';
import { readTenant, writeNewTenant, writeTenant } from './tenant-text';

/** Tenants that one script reads, so that others wait for it a few milliseconds at most. */
const MAX_PAGE = 500;

export class CheckedRedisStoreOptions {
  /**
   * What the names of the registry's keys begin with, in braces, so that a cluster keeps them on one node. Default
   * `tenancy`: the keys are `{tenancy}:tenants` and so on, behind the client's own `keyPrefix`.
   */
  @Option(text('give 1 to 64 of A-Z a-z 0-9 . _ : -', (value) => /^[\w.:-]{1,64}$/.test(value)))
  readonly keyPrefix: string = 'tenancy';

  /**
   * How long Redis may take for an answer, in milliseconds from 1. Default 5,000. Then callers get 503, and whether a change was
   * made is not known.
   */
  @Option(waiting(1))
  readonly timeoutMs: number = 5_000;
}

export type RedisStoreOptions = Given<CheckedRedisStoreOptions>;

/** What a script answers: a word, and what belongs to it. */
type Reply = readonly [kind: string, value?: unknown];

/**
 * Keeps tenants in Redis, for registries that live there. Every change is one script, so none is made by half, and is told to all
 * instances by pub/sub. While Redis is away or has lost its data, everything is a 503, and nobody is taken for absent.
 *
 * `TenancyModule.forRoot({ store: new RedisTenantStore(client) })`. The client is one of ioredis, a `Redis` or a `Cluster`. It is
 * never used itself: the store opens two connections like it, and closes them with the application.
 */
export class RedisTenantStore extends TenantStore implements OnModuleInit, OnApplicationShutdown {
  override readonly changes: TenantChangesListener;
  readonly #logger = new Logger(RedisTenantStore.name);
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #keys: readonly string[];
  /** The registry's id. It is asked for once: should another one be there later, this one is lost. */
  #id?: string;
  #isLost = false;

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    super();
    const { keyPrefix, timeoutMs } = checkArguments(
      'new RedisTenantStore()',
      CheckedRedisStoreOptions,
      options,
    );
    this.#connection = new RedisConnection(client, timeoutMs);
    this.#prefix = `${prefixOf(client)}{${keyPrefix}}:`;
    this.#keys = REGISTRY_KEYS.map((name) => this.#prefix + name);
    this.changes = new TenantChangesListener(
      (events, clock) =>
        new RedisChangesSession(
          client,
          {
            timeoutMs,
            channel: async () => `${this.#keys[0]}:${this.#id ?? (await this.#open())}`,
            beat: (token) => this.#ask(BEAT, [token]),
          },
          events,
          clock,
        ),
    );
  }

  /**
   * Makes an empty registry, once, in a new installation; false when there is one. Do not call it at each start: where Redis has
   * lost its data, it would begin anew without them.
   *
   * @throws RedisRegistryDamagedError when there are parts of one
   * @throws TenancyUnavailableError
   */
  async createRegistry(): Promise<boolean> {
    const answer = await this.#connection.run(CREATE, this.#keys, [randomUUID(), LAYOUT]);
    const [kind] = this.#list(answer);
    if (kind === 'made' || kind === 'exists') return kind === 'made';
    throw new RedisRegistryDamagedError(`${this.#keys[0]} is gone, and the keys beside it are there`);
  }

  /** @throws RedisRegistryMissingError, RedisRegistryLayoutError, TenancyUnavailableError */
  async onModuleInit(): Promise<void> {
    await this.#open();
    for (const advice of await adviceFor(await this.#connection.servers())) this.#logger.warn(advice);
  }

  onApplicationShutdown(): void {
    this.close();
  }

  /** Closes the connection. It is opened again when it is needed. */
  close(): void {
    this.#connection.close();
  }

  async find(claim: TenantClaim): Promise<Tenant | undefined> {
    const [tenant] = await this.findMany([claim]);
    return tenant;
  }

  override async findMany(claims: readonly TenantClaim[]): Promise<(Tenant | undefined)[]> {
    const normalized = claims.map(normalizeClaim);
    const asked = normalized.filter((claim) => claim !== undefined);
    if (asked.length === 0) return claims.map(() => undefined);
    const [, found] = await this.#ask(
      FIND,
      asked.flatMap(({ by, value }) => [by, value]),
    );
    const texts = this.#list(found);
    if (texts.length !== asked.length) throw unreadable();
    const answers = texts[Symbol.iterator]();
    return normalized.map((claim) => {
      const kept: unknown = claim && answers.next().value;
      return kept === undefined || kept === null ? undefined : readTenant(kept);
    });
  }

  async list({ limit, afterId = '', ...filter }: TenantQuery): Promise<Tenant[]> {
    const { status, server, isolation, search } = filter;
    const within = status ?? (server === undefined ? '*' : `@${server}`);
    const isNarrow = search || isolation !== undefined || (status !== undefined && server !== undefined);
    const found: Tenant[] = [];
    for (let after = afterId.toLowerCase(); ;) {
      const size = Math.min(MAX_PAGE, isNarrow ? MAX_PAGE : limit - found.length);
      const [, texts] = await this.#ask(LIST, [within, after, String(size)]);
      const page = this.#list(texts).map(readTenant);
      found.push(...page.filter((each) => matches(each, filter)));
      if (page.length < size || found.length >= limit) return found.slice(0, limit);
      after = page.at(-1)!.id;
    }
  }

  /** There is no transaction with PostgreSQL: the tenant is seen at once. */
  async insert(
    tenant: NewTenant,
    _transaction?: unknown,
    { audit }: Pick<TenantWriteOptions, 'audit'> = {},
  ): Promise<Tenant> {
    const id = tenant.id.toLowerCase();
    const kept = writeNewTenant({ ...pick(tenant, tenantFields('given')), id, place: tenant.place });
    const reply = await this.#ask(INSERT, [kept, recorded(audit)], id);
    if (reply[0] === 'id') throw new Error(`There is a tenant with the id ${id} already.`);
    if (reply[0] === 'schema') throw new SchemaNameTakenError(tenant.schemaName);
    return this.#kept(reply, tenant.slug);
  }

  async update(
    id: string,
    changes: TenantUpdate,
    options: TenantWriteOptions = {},
  ): Promise<Tenant | undefined> {
    return this.#change(id, options, { changes });
  }

  async remove(id: string): Promise<void> {
    if (isUuid(id)) await this.#ask(REMOVE, [id.toLowerCase()], id.toLowerCase());
  }

  async addDomain(id: string, domain: string, options: TenantWriteOptions = {}): Promise<Tenant | undefined> {
    return this.#change(id, options, { add: domain });
  }

  async removeDomain(
    id: string,
    domain: string,
    options: TenantWriteOptions = {},
  ): Promise<Tenant | undefined> {
    return this.#change(id, options, { remove: domain });
  }

  override async listAudit({ tenantId, limit, beforeId = '' }: AuditQuery): Promise<AuditRecord[]> {
    if (!isUuid(tenantId)) return [];
    const id = tenantId.toLowerCase();
    const [, texts] = await this.#ask(AUDIT, [beforeId, String(limit)], id);
    return this.#list(texts).map((each) => readAudit(id, each));
  }

  async #change(
    given: string,
    { expected = {}, audit }: TenantWriteOptions,
    { changes = {}, add = '', remove = '' }: { changes?: TenantUpdate; add?: string; remove?: string },
  ): Promise<Tenant | undefined> {
    if (!isUuid(given)) return undefined;
    const id = given.toLowerCase();
    const { status, version = '' } = expected;
    const statuses = status ? ` ${status.join(' ')} ` : '*';
    const texts = [String(version), statuses, writeTenant(givenChanges(changes)), add, remove];
    const reply = await this.#ask(CHANGE, [id, ...texts, recorded(audit)], id);
    return reply[0] === 'none' ? undefined : this.#kept(reply, changes.slug);
  }

  /** The tenant of an answer. */
  #kept([kind, value]: Reply, slug = ''): Tenant {
    if (kind === 'slug') throw new TenantSlugTakenError(slug);
    if (kind === 'domain') throw new DomainTakenError(String(value));
    if (kind !== 'ok') throw unreadable();
    return readTenant(value);
  }

  /** `tenantId`: whose audit the script touches. */
  async #ask(script: string, args: readonly string[], tenantId?: string): Promise<Reply> {
    const audit = tenantId === undefined ? [] : [`${this.#prefix}audit:${tenantId}`];
    const id = this.#id ?? (await this.#open());
    return this.#read(await this.#connection.run(script, [...this.#keys, ...audit], [id, ...args]));
  }

  #read(answer: unknown): Reply {
    if (!Array.isArray(answer) || typeof answer[0] !== 'string') throw unreadable();
    const [kind, what] = answer as unknown as Reply;
    if (kind !== 'lost') this.#isLost = false;
    else throw this.#lose(String(what));
    return answer as unknown as Reply;
  }

  /** Told once in the log: those who get 503 cannot do anything about it. */
  #lose(what: string): Error {
    const cause = new RedisRegistryDamagedError(`${this.#prefix} has lost ${what}`);
    if (!this.#isLost) this.#logger.error(cause.message);
    this.#isLost = true;
    return new TenancyUnavailableError('The tenant registry', { cause });
  }

  #list(value: unknown): unknown[] {
    if (Array.isArray(value)) return value;
    throw unreadable();
  }

  async #open(): Promise<string> {
    const answer = await this.#connection.run(OPEN, this.#keys.slice(0, 1), []);
    const [id, layout] = this.#list(answer);
    if (id === null) throw new RedisRegistryMissingError(this.#prefix);
    if (layout !== LAYOUT) throw new RedisRegistryLayoutError(this.#prefix, layout);
    if (typeof id !== 'string') throw unreadable();
    return (this.#id = id);
  }
}

function recorded(audit: TenantAction | undefined): string {
  return audit ? writeAudit(audit) : '';
}

function unreadable(): Error {
  return new RedisRegistryDamagedError('a script was answered with something else than it gives');
}
