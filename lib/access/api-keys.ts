import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { uuidV7 } from '../common/uuid-v7';
import { ScopeMissingError } from '../common/scope.errors';
import { missingScope } from '../common/scopes';
import type { SqlExecutor } from '../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { type ActorAndReason, checkActorAndReason } from '../provisioning/tenant-input';
import { RegistryTime } from '../registry/registry-time';
import { inRegistry } from '../registry/store/registry-transaction';
import { isUuid } from '../registry/uuid';
import {
  ApiKeyLimitError,
  ApiKeyNotFoundError,
  ApiKeyRevokedError,
  ApiKeyVersionError,
} from './access.errors';
import { ACCESS_OPTIONS, type CheckedAccessOptions } from './access.options';
import type { ApiKey, ShownApiKey } from './api-key';
import { ApiKeyAuthentication } from './api-key-authentication';
import {
  type ApiKeyInput,
  type ApiKeyPatch,
  checkApiKey,
  checkApiKeyPatch,
  checkOverlap,
} from './api-key-input';
import { ApiKeyRows, type KeyValues } from './api-key-rows';
import { makeKey } from './key-text';

export interface ApiKeyWriteOptions extends ActorAndReason {
  /** The scopes of who asks, who may touch no key that has or gets one they lack. Default: they may do all. */
  readonly grantedBy?: readonly string[];
}

export interface ApiKeyChangeOptions extends ApiKeyWriteOptions {
  /** Only if the key has one of these versions; else `ApiKeyVersionError`, and nothing is done. */
  readonly ifVersion?: readonly number[];
}

export interface CreateApiKeyOptions extends ApiKeyWriteOptions {
  /** A UUID of version 7. A key that has it already is given another text. Default: a new one. */
  readonly id?: string;
  /** Of a transaction that may write into the registry, as in `TenantProvisioner.create(…, { within })`. Default: one of its own. */
  readonly manager?: EntityManager;
}

export interface RotateApiKeyOptions extends ApiKeyChangeOptions {
  /** How long the old text goes on working, in milliseconds from 0 to 7 days. Default: `rotationOverlapMs`. */
  readonly overlapMs?: number;
}

/** What is done to a key; nothing when it is as it should be. */
interface Step {
  readonly action: string;
  readonly values: KeyValues;
  readonly details?: Record<string, unknown>;
}

/**
 * The keys of tenants. What is already as it should be is left alone, and nothing is recorded; each change is recorded in
 * the audit of the tenant, with its actor and its reason, in the same transaction.
 *
 * All throw `TenancyUnavailableError`, and those that change a key `ApiKeyNotFoundError`, `ScopeMissingError` (see
 * `grantedBy`), `ApiKeyVersionError` (see `ifVersion`), `ApiKeyRevokedError` and `ValidationFailedError`. Whether there
 * is such a tenant is not asked.
 */
@Injectable()
export class ApiKeys {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: ApiKeyRows,
    private readonly authentication: ApiKeyAuthentication,
    private readonly time: RegistryTime,
    @Inject(ACCESS_OPTIONS) private readonly options: CheckedAccessOptions,
  ) {}

  /**
   * A new key with its text, which nobody can be told again.
   *
   * @throws ScopeMissingError for a scope that `grantedBy` lacks
   * @throws ApiKeyLimitError when the tenant has `maxKeysPerTenant`
   */
  async create(
    tenantId: string,
    input: ApiKeyInput,
    options: CreateApiKeyOptions = {},
  ): Promise<ShownApiKey> {
    const { id = uuidV7(), grantedBy, actor, reason, manager } = options;
    checkActorAndReason({ actor, reason });
    const { name, scopes, expiresAt, allowedIps } = checkApiKey(input, this.time.now());
    refuseBeyond(grantedBy, scopes);
    const { text, digest, hint } = makeKey(this.options.prefix, id);
    const values = { name, hint, digest, scopes, allowed_ips: allowedIps, expires_at: expiresAt };
    const { maxKeysPerTenant } = this.options;
    const make = async (transaction: SqlExecutor) => {
      const others = await this.rows.countOthers(transaction, tenantId, id);
      if (others >= maxKeysPerTenant) throw new ApiKeyLimitError(maxKeysPerTenant);
      const key = await this.rows.insert(transaction, tenantId, id, values);
      if (!key) throw new ApiKeyRevokedError('change');
      // One that was there already has scopes of its own.
      refuseBeyond(grantedBy, key.scopes);
      await this.rows.record(transaction, tenantId, {
        action: 'create-key',
        actor,
        reason,
        details: { key: id, name },
      });
      return key;
    };
    const made = await (manager ? make(manager) : inRegistry(this.registry, make));
    this.authentication.forget(tenantId);
    return { ...made, key: text };
  }

  /** @throws ApiKeyNotFoundError */
  async get(tenantId: string, id: string): Promise<ApiKey> {
    return inRegistry(this.registry, (transaction) => this.#find(transaction, tenantId, id));
  }

  /** Keys in the order of their creation, revoked ones too. `limit` is an integer from 1. */
  list(tenantId: string, { limit, afterId }: { limit: number; afterId?: string }): Promise<ApiKey[]> {
    return inRegistry(this.registry, (transaction) => this.rows.list(transaction, tenantId, limit, afterId));
  }

  /** Changes what the patch names. */
  async update(
    tenantId: string,
    id: string,
    patch: ApiKeyPatch,
    options: ApiKeyChangeOptions = {},
  ): Promise<ApiKey> {
    const { name, scopes, expiresAt, allowedIps } = checkApiKeyPatch(patch, this.time.now());
    return this.#change(tenantId, id, options, (key) => {
      refuseBeyond(options.grantedBy, scopes ?? []);
      const values: KeyValues = {
        ...(name === undefined || name === key.name ? {} : { name }),
        ...(scopes === undefined || isSame(scopes, key.scopes) ? {} : { scopes }),
        ...(expiresAt === undefined || expiresAt?.getTime() === key.expiresAt?.getTime()
          ? {}
          : { expires_at: expiresAt }),
        ...(allowedIps === undefined || isSame(allowedIps, key.allowedIps)
          ? {}
          : { allowed_ips: allowedIps }),
      };
      const fields = Object.keys(values);
      return fields.length > 0 ? { action: 'update-key', values, details: { fields } } : undefined;
    });
  }

  /** Refuses the key until it is unblocked. */
  block(tenantId: string, id: string, options: ApiKeyChangeOptions = {}): Promise<ApiKey> {
    return this.#change(tenantId, id, options, ({ blockedAt }) =>
      blockedAt ? undefined : { action: 'block-key', values: { blocked_at: this.time.now() } },
    );
  }

  /** Lets a blocked key in again. */
  unblock(tenantId: string, id: string, options: ApiKeyChangeOptions = {}): Promise<ApiKey> {
    return this.#change(tenantId, id, options, ({ blockedAt }) =>
      blockedAt ? { action: 'unblock-key', values: { blocked_at: null } } : undefined,
    );
  }

  /** Ends the key for good, in both its texts. */
  revoke(tenantId: string, id: string, options: ApiKeyChangeOptions = {}): Promise<ApiKey> {
    return this.#change(tenantId, id, options, ({ revokedAt }) =>
      revokedAt ? undefined : { action: 'revoke-key', values: { revoked_at: this.time.now() } },
    );
  }

  /** The key with a new text, while the old one goes on working for a while; one from before that ends at once. */
  async rotate(tenantId: string, id: string, options: RotateApiKeyOptions = {}): Promise<ShownApiKey> {
    const { overlapMs = this.options.rotationOverlapMs } = options;
    checkOverlap(overlapMs);
    const made = makeKey(this.options.prefix, id);
    const key = await this.#change(tenantId, id, options, async (_key, transaction) => {
      const values: KeyValues = {
        digest: made.digest,
        hint: made.hint,
        previous_digest: await this.rows.digestOf(transaction, id),
        previous_until: new Date(this.time.now().getTime() + overlapMs),
      };
      return { action: 'rotate-key', values, details: { overlapMs } };
    });
    return { ...key, key: made.text };
  }

  async #change(
    tenantId: string,
    id: string,
    { ifVersion, grantedBy, actor, reason }: ApiKeyChangeOptions,
    decide: (key: ApiKey, transaction: SqlExecutor) => Step | undefined | Promise<Step | undefined>,
  ): Promise<ApiKey> {
    checkActorAndReason({ actor, reason });
    const changed = await inRegistry(this.registry, async (transaction) => {
      const key = await this.#find(transaction, tenantId, id, true);
      refuseBeyond(grantedBy, key.scopes);
      if (ifVersion && !ifVersion.includes(key.version)) throw new ApiKeyVersionError();
      const step = await decide(key, transaction);
      if (!step) return key;
      if (key.revokedAt) throw new ApiKeyRevokedError('change');
      const details = { key: id, name: key.name, ...step.details };
      const after = await this.rows.update(transaction, id, step.values);
      await this.rows.record(transaction, tenantId, { action: step.action, actor, reason, details });
      return after;
    });
    this.authentication.forget(tenantId);
    return changed;
  }

  async #find(transaction: SqlExecutor, tenantId: string, id: string, lock = false): Promise<ApiKey> {
    const key = isUuid(id) ? await this.rows.find(transaction, tenantId, id, lock) : undefined;
    if (!key) throw new ApiKeyNotFoundError();
    return key;
  }
}

function refuseBeyond(grantedBy: readonly string[] | undefined, scopes: readonly string[]): void {
  const missing = grantedBy && missingScope(grantedBy, scopes);
  if (missing !== undefined) throw new ScopeMissingError(missing);
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}
