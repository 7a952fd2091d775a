import { createHash } from 'node:crypto';
import { freezeDeeply } from '../common/freeze-deeply';
import type { Setting } from './setting';
import { SettingUndeclaredError } from './settings.errors';
import type { CheckedSettingsOptions } from './settings.options';

/** All settings that were declared. */
export class DeclaredSettings {
  readonly #byKey: ReadonlyMap<string, Setting<unknown>>;
  /**
   * A hash of what callers see of the declaration. It is part of entity tags, so that another default gives another
   * tag.
   */
  readonly fingerprint: string;

  constructor({ settings }: CheckedSettingsOptions) {
    this.#byKey = new Map(
      Object.entries<Setting<unknown>>(settings).map(([key, each]) => [
        key,
        { ...each, default: freezeDeeply(each.default) },
      ]),
    );
    this.fingerprint = fingerprintOf(this.#byKey);
  }

  get keys(): string[] {
    return [...this.#byKey.keys()];
  }

  find(key: string): Setting<unknown> | undefined {
    return this.#byKey.get(key);
  }

  /** @throws SettingUndeclaredError when the key was not declared */
  get(key: string): Setting<unknown> {
    const found = this.find(key);
    if (!found) throw new SettingUndeclaredError(String(key));
    return found;
  }
}

function fingerprintOf(settings: ReadonlyMap<string, Setting<unknown>>): string {
  const seen = [...settings].map(([key, { default: standard, tenant }]) => [key, standard, tenant]);
  return createHash('sha256').update(JSON.stringify(seen)).digest('base64url').slice(0, 8);
}
