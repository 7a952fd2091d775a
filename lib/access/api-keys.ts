import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { checkArguments } from '../common/options/check-options';
import { anything, listOf, text, versions, withMethod } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { uuidV7 } from '../common/uuid-v7';
import { ScopeMissingError } from '../common/scope.errors';
import { missingScope } from '../common/scopes';
import type { SqlExecutor } from '../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { ActorAndReason, checkActorAndReason } from '../provisioning/tenant-input';
import { RegistryTime } from '../registry/registry-time';
import { inRegistry } from '../registry/store/registry-transaction';
import { isUuid } from '../registry/claim';
import {
  ApiKeyLimitError,
  ApiKeyNotFoundError,
  ApiKeyRevokedError,
  ApiKeyVersionError,
  ManagerElsewhereError,
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

export class ApiKeyWriteOptions extends ActorAndReason {
  /**
   * The caller's scopes. The caller cannot make or change a key with a scope that is not among them. Default: all
   * scopes.
   */
  @Option(listOf<string>('give a list of scopes', (each) => typeof each === 'string'))
  readonly grantedBy?: readonly string[];
}

export class ApiKeyChangeOptions extends ApiKeyWriteOptions {
  /** The change is made only if the key has one of these versions; else `ApiKeyVersionError`. */
  @Option(versions())
  readonly ifVersion?: readonly number[];
}

export class CreateApiKeyOptions extends ApiKeyWriteOptions {
  /** A UUID of version 7. If a key with this id exists, it gets a new text. Default: a new id. */
  @Option(text('give a UUID of version 7', isUuid))
  readonly id?: string;

  /**
   * The manager of a transaction in the registry's database, as in `TenantProvisioner.create(…, { within })` of a tenant
   * that lives on the same server. Default: a new transaction.
   */
  @Option(withMethod<EntityManager>('query', 'give the EntityManager of a transaction'))
  readonly manager?: EntityManager;
}

export class RotateApiKeyOptions extends ApiKeyChangeOptions {
  /** How long the old text remains valid, in milliseconds from 0 to 7 days. Default: `rotationOverlapMs`. */
  @Option(anything<number>())
  readonly overlapMs?: number;
}

/** A change to a key; `undefined` when the key is already in the wanted state. */
interface Step {
  readonly action: string;
  readonly values: KeyValues;
  readonly details?: Record<string, unknown>;
}

/**
 * The keys of tenants. When a key already has the wanted state, nothing is changed or recorded. Each change is recorded
 * in the tenant's audit, with its actor and its reason, in the same transaction.
 *
 * All methods throw `TenancyUnavailableError`. Those that change a key throw `ApiKeyNotFoundError`, `ScopeMissingError`
 * (see `grantedBy`), `ApiKeyVersionError` (see `ifVersion`), `ApiKeyRevokedError` and `ValidationFailedError`. None of
 * them checks whether the tenant exists.
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
   * Makes a key and returns it with its text, which cannot be read again.
   *
   * @throws ScopeMissingError for a scope that `grantedBy` lacks
   * @throws ApiKeyLimitError when the tenant has `maxKeysPerTenant` keys
   * @throws ManagerElsewhereError when `manager` works on another database than the registry's
   */
  async create(
    tenantId: string,
    input: ApiKeyInput,
    options: CreateApiKeyOptions = {},
  ): Promise<ShownApiKey> {
    const given = checkArguments('ApiKeys.create()', CreateApiKeyOptions, options);
    const { id = uuidV7(), grantedBy, actor, reason, manager } = given;
    checkActorAndReason({ actor, reason });
    if (manager && !(await this.rows.areWhere(manager))) throw new ManagerElsewhereError('ApiKeys.create()');
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
      // If the key existed already, it has scopes of its own.
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

  /** @throws ApiKeyNotFoundError when the tenant has no such key */
  async get(tenantId: string, id: string): Promise<ApiKey> {
    return inRegistry(this.registry, (transaction) => this.#find(transaction, tenantId, id));
  }

  /** Keys in the order of their creation, with revoked ones. `limit` is an integer from 1. */
  list(tenantId: string, { limit, afterId }: { limit: number; afterId?: string }): Promise<ApiKey[]> {
    return inRegistry(this.registry, (transaction) => this.rows.list(transaction, tenantId, limit, afterId));
  }

  /** Changes the fields that the patch names. */
  async update(
    tenantId: string,
    id: string,
    patch: ApiKeyPatch,
    options: ApiKeyChangeOptions = {},
  ): Promise<ApiKey> {
    const given = checkArguments('ApiKeys.update()', ApiKeyChangeOptions, options);
    const { name, scopes, expiresAt, allowedIps } = checkApiKeyPatch(patch, this.time.now());
    return this.#change(tenantId, id, given, (key) => {
      refuseBeyond(given.grantedBy, scopes ?? []);
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
  async block(tenantId: string, id: string, options: ApiKeyChangeOptions = {}): Promise<ApiKey> {
    const given = checkArguments('ApiKeys.block()', ApiKeyChangeOptions, options);
    return this.#change(tenantId, id, given, ({ blockedAt }) =>
      blockedAt ? undefined : { action: 'block-key', values: { blocked_at: this.time.now() } },
    );
  }

  /** Lets a blocked key in again. */
  async unblock(tenantId: string, id: string, options: ApiKeyChangeOptions = {}): Promise<ApiKey> {
    const given = checkArguments('ApiKeys.unblock()', ApiKeyChangeOptions, options);
    return this.#change(tenantId, id, given, ({ blockedAt }) =>
      blockedAt ? { action: 'unblock-key', values: { blocked_at: null } } : undefined,
    );
  }

  /** Ends the key permanently, with both its texts. */
  async revoke(tenantId: string, id: string, options: ApiKeyChangeOptions = {}): Promise<ApiKey> {
    const given = checkArguments('ApiKeys.revoke()', ApiKeyChangeOptions, options);
    return this.#change(tenantId, id, given, ({ revokedAt }) =>
      revokedAt ? undefined : { action: 'revoke-key', values: { revoked_at: this.time.now() } },
    );
  }

  /** Gives the key a new text. The old one remains valid for a while; an even older one ends at once. */
  async rotate(tenantId: string, id: string, options: RotateApiKeyOptions = {}): Promise<ShownApiKey> {
    const given = checkArguments('ApiKeys.rotate()', RotateApiKeyOptions, options);
    const { overlapMs = this.options.rotationOverlapMs } = given;
    checkOverlap(overlapMs);
    const made = makeKey(this.options.prefix, id);
    const key = await this.#change(tenantId, id, given, async (_key, transaction) => {
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

  /** With options that are checked already. */
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
