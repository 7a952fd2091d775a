import { createHash } from 'node:crypto';
import { freezeDeeply } from '../common/freeze-deeply';
import { type Names, unknownOptions } from '../common/known-names';
import { show } from '../common/show-value';
import { jsonValueProblem } from '../registry/metadata';
import { typeName } from './json-values';
import type { Setting } from './setting';
import { InvalidSettingsError, SettingUndeclaredError } from './settings.errors';
import { LOOKUP_CACHE_OPTIONS } from '../registry/cache/lookup-cache.options';
import type { TenancySettingsOptions } from './settings.options';

/** They stand in paths, entity tags and the record; `__proto__` is none. */
const KEY = /^[a-z][\w-]{0,63}$/i;

const KNOWN: Names<TenancySettingsOptions> = { settings: true, cache: true };
const KNOWN_OF_SETTING: Names<Setting<unknown>> = {
  default: true,
  validate: true,
  tenant: true,
  isFeature: true,
};

const ACCESSES: readonly unknown[] = [undefined, 'read', 'write'];

/** The settings that there are. */
export class DeclaredSettings {
  readonly #byKey: ReadonlyMap<string, Setting<unknown>>;
  /** Of what callers see of the declaration: in tags, so that another default is another state. */
  readonly fingerprint: string;

  /** @throws InvalidSettingsError naming all that is wrong */
  constructor(options: TenancySettingsOptions) {
    const { settings, cache } = options;
    const entries = Object.entries((settings ?? {}) as Record<string, Setting<unknown>>);
    const problems = entries.flatMap(([key, setting]) => declarationProblems(key, setting));
    if (typeof settings !== 'object' || settings === null || Array.isArray(settings))
      problems.push(`settings is ${show(settings)}; give defineSettings({ key: setting({ default }) })`);
    problems.push(
      ...unknownOptions(options, KNOWN),
      ...unknownOptions(cache, LOOKUP_CACHE_OPTIONS, 'cache.'),
    );
    for (const [name, value] of Object.entries(cache ?? {}))
      if (!Number.isSafeInteger(value) || (value as number) < (name === 'maxEntries' ? 1 : 0))
        problems.push(
          `cache.${name} is ${show(value)}; give an integer from ${name === 'maxEntries' ? 1 : 0}`,
        );
    if (problems.length > 0) throw new InvalidSettingsError(problems);
    this.#byKey = new Map(
      entries.map(([key, each]) => [key, { ...each, default: freezeDeeply(each.default) }]),
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

/** Why a setting cannot have a value, as the end of a sentence that begins with its key. Throws what `validate` throws. */
export function valueProblem(
  { default: standard, validate }: Setting<unknown>,
  value: unknown,
): string | undefined {
  if (standard !== null && typeName(value) !== typeName(standard))
    return `must be of the type ${typeName(standard)}`;
  const problem = jsonValueProblem(value);
  if (problem !== undefined || !validate) return problem;
  const verdict = validate(value);
  if (verdict === true) return undefined;
  return typeof verdict === 'string' ? verdict : 'is not allowed';
}

function declarationProblems(key: string, setting: Setting<unknown> | undefined): string[] {
  if (!KEY.test(key))
    return [`${show(key)} cannot be a key; give 1 to 64 of a-z A-Z 0-9 _ -, beginning with a letter`];
  if (typeof setting !== 'object' || setting === null || typeof setting.isFeature !== 'boolean')
    return [`${key} is ${show(setting)}; give setting({ default }) or feature()`];
  const [unknown] = unknownOptions(setting, KNOWN_OF_SETTING, `${key}.`);
  if (unknown !== undefined) return [unknown];
  const { tenant, validate } = setting;
  if (validate !== undefined && typeof validate !== 'function')
    return [`${key}.validate is ${show(validate)}; give a function of the value`];
  if (!ACCESSES.includes(tenant)) return [`${key}.tenant is ${show(tenant)}; say 'read', 'write' or nothing`];
  if (setting.isFeature && typeof setting.default !== 'boolean')
    return [`${key}.default is ${show(setting.default)}; say true or false`];
  const problem = valueProblem(setting, setting.default);
  return problem === undefined ? [] : [`${key}.default ${problem}`];
}

function fingerprintOf(settings: ReadonlyMap<string, Setting<unknown>>): string {
  const seen = [...settings].map(([key, { default: standard, tenant }]) => [key, standard, tenant]);
  return createHash('sha256').update(JSON.stringify(seen)).digest('base64url').slice(0, 8);
}
