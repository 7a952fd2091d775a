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

/** A tenant's settings as they hold. */
export interface SettingsState {
  readonly tenantId: string;
  readonly version: number;
  /** Only what the tenant has set, and the declaration allows. */
  readonly own: ReadonlyMap<string, unknown>;
}

/** Of how many refused values it is remembered that the log has told of them. */
const MAX_TOLD = 1_000;

/**
 * Settings of tenants, remembered: what the registry's change feed tells is forgotten at once. While the registry is
 * away, what is remembered holds for `cache.staleIfErrorMs`.
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

  /** @throws TenancyUnavailableError */
  async find(tenantId: string): Promise<SettingsState> {
    const state = this.#lookup.remembered(tenantId) ?? (await this.#lookup.find(tenantId, tenantId));
    return state ?? toNothing(tenantId);
  }

  /** At once, if it is remembered. */
  remembered(tenantId: string): SettingsState | undefined {
    return this.#lookup.remembered(tenantId);
  }

  /** They were changed here: it is felt at once. Other instances hear of it from the registry. */
  forget(tenantId: string): void {
    this.#lookup.forget(tenantId);
  }

  /** What holds of a row. What the declaration refuses by now is left out, and told in the log. */
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

  /** An answer for each, so that those who have set nothing are remembered, too. */
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
      `Tenant ${tenantId} has a value of the setting "${key}" that is refused by now: it ${problem}. The default holds; set another, or remove it.`,
    );
  }
}

function toNothing(tenantId: string): SettingsState {
  return { tenantId, version: 0, own: new Map() };
}

/** A `validate` that throws has not allowed the value. */
function problemOrError(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    return `could not be checked (${String(error)})`;
  }
}
