import { createHash } from 'node:crypto';
import { freezeDeeply } from '../common/freeze-deeply';
import type { Setting } from './setting';
import { SettingUndeclaredError } from './settings.errors';
import type { CheckedSettingsOptions } from './settings.options';

/** The settings that there are. */
export class DeclaredSettings {
  readonly #byKey: ReadonlyMap<string, Setting<unknown>>;
  /** Of what callers see of the declaration: in tags, so that another default is another state. */
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

  /** @throws SettingUndeclaredError */
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
