import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { freezeDeeply } from '../common/freeze-deeply';
import { ToldNames } from '../common/told-names';
import { LOOKUPS_DATA_SOURCE } from '../registry/registry';
import { type RegistryLookup, RegistryLookups } from '../registry/cache/registry-lookup';
import { inRegistry } from '../registry/store/registry-transaction';
import { DeclaredSettings } from './declared-settings';
import { valueProblem } from './setting';
import { type SettingRow, SettingRows } from './setting-rows';
import { type CheckedSettingsOptions, SETTINGS_OPTIONS } from './settings.options';

/** The settings that are in force for a tenant. */
export interface SettingsState {
  readonly tenantId: string;
  readonly version: number;
  /** Only values that the tenant has set and that the declaration allows. */
  readonly own: ReadonlyMap<string, unknown>;
}

/**
 * A cache of tenants' settings. News from the change feed drops an entry at once. While the registry cannot be reached,
 * cached settings are used for `cache.staleIfErrorMs`.
 */
@Injectable()
export class KnownSettings {
  readonly #logger = new Logger('Tenancy');
  /** Refused values. */
  readonly #told = new ToldNames();
  readonly #lookup: RegistryLookup<string, SettingsState>;

  constructor(
    @InjectDataSource(LOOKUPS_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: SettingRows,
    private readonly declared: DeclaredSettings,
    @Inject(SETTINGS_OPTIONS) { cache }: CheckedSettingsOptions,
    lookups: RegistryLookups,
  ) {
    this.#lookup = lookups.make<string, SettingsState>({
      askAll: (tenantIds) => this.#ask(tenantIds),
      tenantIdOf: ({ tenantId }) => tenantId,
      cache,
    });
  }

  /** @throws TenancyUnavailableError when the registry cannot be reached */
  async find(tenantId: string): Promise<SettingsState> {
    const state = this.#lookup.remembered(tenantId) ?? (await this.#lookup.find(tenantId, tenantId));
    return state ?? toNothing(tenantId);
  }

  /** Synchronously, if they are cached. */
  remembered(tenantId: string): SettingsState | undefined {
    return this.#lookup.remembered(tenantId);
  }

  /**
   * Drops the cached settings of a tenant after a change in this process. Other instances learn of it from the change
   * feed.
   */
  forget(tenantId: string): void {
    this.#lookup.forget(tenantId);
  }

  /** The settings in a row that are in force. A value that the declaration no longer allows is left out and logged. */
  stateOf({ tenantId, version, settings }: SettingRow): SettingsState {
    const own = new Map<string, unknown>();
    for (const [key, value] of Object.entries(settings)) {
      const setting = this.declared.find(key);
      if (!setting) continue;
      const problem = problemOrError(() => valueProblem(setting, value));
      if (problem === undefined) own.set(key, freezeDeeply(value));
      else this.#tell(tenantId, key, version, problem);
    }
    return { tenantId, version, own };
  }

  /** Returns an answer for each tenant, so that tenants without settings are cached, too. */
  async #ask(tenantIds: readonly string[]): Promise<SettingsState[]> {
    const found = await inRegistry(this.registry, (transaction) => this.rows.find(transaction, tenantIds));
    const byId = new Map(found.map((row) => [row.tenantId, row]));
    return tenantIds.map((id) => {
      const row = byId.get(id);
      return row ? this.stateOf(row) : toNothing(id);
    });
  }

  #tell(tenantId: string, key: string, version: number, problem: string): void {
    if (!this.#told.isNew(`${tenantId} ${key} ${version}`)) return;
    this.#logger.warn(
      `Tenant ${tenantId} has a value of the setting "${key}" that is no longer allowed: it ${problem}. The default is used instead; set another value, or remove it.`,
    );
  }
}

function toNothing(tenantId: string): SettingsState {
  return { tenantId, version: 0, own: new Map() };
}

/** When `validate` throws, the value is not allowed. */
function problemOrError(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    return `could not be checked (${String(error)})`;
  }
}
