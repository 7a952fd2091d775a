import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { LRUCache } from 'lru-cache';
import { DataSource } from 'typeorm';
import { CLOCK, type Clock, systemClock } from '../common/clock';
import { freezeDeeply } from '../common/freeze-deeply';
import { LOOKUPS_DATA_SOURCE } from '../registry/registry';
import { RegistryLookup } from '../registry/cache/registry-lookup';
import { inRegistry } from '../registry/store/registry-transaction';
import { NoTenantChanges, TenantChangeFeed } from '../registry/changes/tenant-changes';
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

/** For how many refused values to remember that the log already has a line about them. */
const MAX_TOLD = 1_000;

/**
 * A cache of tenants' settings. News from the change feed drops an entry at once. While the registry cannot be reached,
 * cached settings are used for `cache.staleIfErrorMs`.
 */
@Injectable()
export class KnownSettings {
  readonly #logger = new Logger('Tenancy');
  readonly #told = new LRUCache<string, true>({ max: MAX_TOLD });
  readonly #lookup: RegistryLookup<string, SettingsState>;

  constructor(
    @InjectDataSource(LOOKUPS_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: SettingRows,
    private readonly declared: DeclaredSettings,
    @Inject(SETTINGS_OPTIONS) { cache }: CheckedSettingsOptions,
    @Optional() @Inject(CLOCK) clock: Clock = systemClock,
    @Optional() feed: TenantChangeFeed = new NoTenantChanges(),
  ) {
    this.#lookup = new RegistryLookup<string, SettingsState>({
      askAll: (tenantIds) => this.#ask(tenantIds),
      tenantIdOf: ({ tenantId }) => tenantId,
      cache,
      clock,
      feed,
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
    const name = `${tenantId} ${key} ${version}`;
    if (this.#told.has(name)) return;
    this.#told.set(name, true);
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
