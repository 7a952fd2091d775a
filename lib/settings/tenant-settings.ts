import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { checkArguments } from '../common/options/check-options';
import { isPlainObject, kind, oneOf, versions } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { ValidationFailedError } from '../common/tenancy.errors';
import { TenantContext } from '../context/tenant-context';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { ActorAndReason, checkActorAndReason } from '../provisioning/tenant-input';
import { isUuid } from '../registry/claim';
import { inRegistry } from '../registry/store/registry-transaction';
import type { Tenant } from '../registry/tenant';
import { TenantNotFoundError } from '../registry/tenant.errors';
import { DeclaredSettings } from './declared-settings';
import { KnownSettings, type SettingsState } from './known-settings';
import {
  type KeyOf,
  type Setting,
  type Settings,
  type TenantAccess,
  type ValueOf,
  valueProblem,
} from './setting';
import { type SettingRow, SettingRows } from './setting-rows';
import { SettingNotFoundError, SettingReadOnlyError, SettingsVersionError } from './settings.errors';

/** A setting, and its value for one tenant. */
export interface SettingState {
  readonly key: string;
  readonly value: unknown;
  /** Whether the default is used, because the tenant has no value of its own or one that is no longer allowed. */
  readonly isDefault: boolean;
  /** What the tenant itself may do. */
  readonly tenant: TenantAccess | null;
}

/** All settings of one tenant at one moment. */
export interface SettingsSnapshot {
  /** Identifies the tenant and the declaration. */
  readonly id: string;
  /** How often the settings were changed. */
  readonly version: number;
  readonly settings: readonly SettingState[];
}

export class SettingChangeOptions extends ActorAndReason {
  /** The tenant. Default: the tenant of the current code. */
  @Option(kind<Pick<Tenant, 'id'>>('give a tenant', isTenant))
  readonly tenant?: Pick<Tenant, 'id'>;

  /** `tenant`: may change only what the tenant itself may change. Default: everything. */
  @Option(oneOf<'tenant' | 'operator'>('tenant', 'operator'))
  readonly by?: 'tenant' | 'operator';

  /** The change is made only if the settings have one of these versions; else `SettingsVersionError`. */
  @Option(versions())
  readonly ifVersion?: readonly number[];
}

function isTenant(value: unknown): boolean {
  return isPlainObject(value) && isUuid(value.id);
}

/**
 * The settings of tenants. `TenantSettings<typeof SETTINGS>` knows the types. Values are shared and frozen; a changed
 * setting is a new object.
 *
 * Settings are cached, and a change reaches every instance within a second. All methods throw `TenancyUnavailableError`
 * when the registry cannot be reached for longer than cached settings may be used, `SettingUndeclaredError` for a key
 * that was not declared, and `TenantRequiredError` without a tenant.
 */
@Injectable()
export class TenantSettings<S extends Settings = Settings> {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly declared: DeclaredSettings,
    private readonly known: KnownSettings,
    private readonly rows: SettingRows,
    private readonly context: TenantContext,
  ) {}

  /** Whether `key` was declared. */
  has(key: string): key is KeyOf<S> {
    return this.declared.find(key) !== undefined;
  }

  /** The tenant's own value, or the default. */
  async get<Key extends KeyOf<S>>(
    key: Key,
    { id }: Pick<Tenant, 'id'> = this.context.tenant(),
  ): Promise<ValueOf<S, Key>> {
    const setting = this.declared.get(key);
    return valueIn(await this.known.find(id), key, setting) as ValueOf<S, Key>;
  }

  /** Like `get()`, but synchronous, from the cache. `undefined` when they are not cached; then call `get()`. */
  remembered<Key extends KeyOf<S>>(
    key: Key,
    { id }: Pick<Tenant, 'id'> = this.context.tenant(),
  ): ValueOf<S, Key> | undefined {
    const setting = this.declared.get(key);
    const state = this.known.remembered(id);
    return state && (valueIn(state, key, setting) as ValueOf<S, Key>);
  }

  /** All settings, or those that the tenant may read, in the order of their declaration. */
  async list(given: Pick<SettingChangeOptions, 'tenant' | 'by'> = {}): Promise<SettingsSnapshot> {
    const options = checkArguments('TenantSettings.list()', SettingChangeOptions, given);
    const { tenant: { id } = this.context.tenant(), by = 'operator' } = options;
    const state = await this.known.find(id);
    return this.#snapshot(state, ({ tenant }) => by === 'operator' || tenant !== undefined);
  }

  /**
   * Sets a value. When the setting already has it, nothing is changed or recorded.
   *
   * @throws ValidationFailedError when the declaration does not allow the value
   * @throws SettingNotFoundError, SettingReadOnlyError when the tenant may not see or change the setting
   * @throws SettingsVersionError when the settings have none of the versions in `ifVersion`
   * @throws TenantNotFoundError when the tenant was purged
   */
  async set<Key extends KeyOf<S>>(
    key: Key,
    value: ValueOf<S, Key>,
    given: SettingChangeOptions = {},
  ): Promise<SettingsSnapshot> {
    const options = checkArguments('TenantSettings.set()', SettingChangeOptions, given);
    const setting = this.#changeable(key, options);
    const problem = valueProblem(setting, value);
    if (problem !== undefined) throw new ValidationFailedError([{ field: 'value', message: problem }]);
    return this.#change(key, JSON.stringify(value), options);
  }

  /**
   * Removes the tenant's own value, so that the default is used. @throws the errors of `set()`, except those about the
   * value
   */
  async reset<Key extends KeyOf<S>>(key: Key, given: SettingChangeOptions = {}): Promise<SettingsSnapshot> {
    const options = checkArguments('TenantSettings.reset()', SettingChangeOptions, given);
    this.#changeable(key, options);
    return this.#change(key, undefined, options);
  }

  #changeable(key: string, { by }: SettingChangeOptions): Setting<unknown> {
    const setting = this.declared.get(key);
    if (by !== 'tenant' || setting.tenant === 'write') return setting;
    throw setting.tenant === 'read' ? new SettingReadOnlyError(key) : new SettingNotFoundError();
  }

  async #change(
    key: string,
    json: string | undefined,
    { tenant: { id } = this.context.tenant(), ifVersion, actor, reason }: SettingChangeOptions,
  ): Promise<SettingsSnapshot> {
    checkActorAndReason({ actor, reason });
    const after = await inRegistry(this.registry, async (transaction) => {
      const row = await this.rows.lock(transaction, id);
      if (!row) throw new TenantNotFoundError();
      if (ifVersion && !ifVersion.includes(row.version)) throw new SettingsVersionError();
      if (isSame(row, key, json)) return row;
      await this.rows.write(transaction, id, key, json);
      const action = json === undefined ? 'reset-setting' : 'set-setting';
      // The value is not recorded, because it may be a secret.
      await this.rows.record(transaction, id, { action, actor, reason, details: { key } });
      return (await this.rows.find(transaction, [id]))[0];
    });
    this.known.forget(id);
    return this.#snapshot(this.known.stateOf(after), () => true);
  }

  #snapshot(state: SettingsState, isShown: (setting: Setting<unknown>) => boolean): SettingsSnapshot {
    const settings = this.declared.keys.flatMap((key) => {
      const setting = this.declared.get(key);
      if (!isShown(setting)) return [];
      const value = valueIn(state, key, setting);
      return [{ key, value, isDefault: !state.own.has(key), tenant: setting.tenant ?? null }];
    });
    return {
      id: `${state.tenantId}.settings-${this.declared.fingerprint}`,
      version: state.version,
      settings,
    };
  }
}

function isSame({ settings }: SettingRow, key: string, json: string | undefined): boolean {
  if (json === undefined || !Object.hasOwn(settings, key))
    return json === undefined && !Object.hasOwn(settings, key);
  return isDeepStrictEqual(settings[key], JSON.parse(json));
}

function valueIn({ own }: SettingsState, key: string, setting: Setting<unknown>): unknown {
  return own.has(key) ? own.get(key) : setting.default;
}
