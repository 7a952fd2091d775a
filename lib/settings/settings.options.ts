import type { LookupCacheOptions } from '../registry/cache/lookup-cache.options';
import type { Settings } from './setting';

export const SETTINGS_OPTIONS = Symbol('SETTINGS_OPTIONS');

export interface TenancySettingsOptions {
  /**
   * All settings and features there are, by their keys: 1 to 64 characters of `a-z A-Z 0-9 _ -`, beginning with a
   * letter. Best made with `defineSettings()`.
   */
  readonly settings: Settings;
  /**
   * How many tenants' settings are remembered, and for how long; `staleIfErrorMs` is how long they are used while the
   * registry is away. As of tenants: 10,000, 60,000 and 60,000 by default.
   */
  readonly cache?: LookupCacheOptions;
}
