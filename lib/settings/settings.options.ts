import { flag, group, isPlainObject, kind } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { unknownNames } from '../common/options/unknown-names';
import { show } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';
import { CheckedLookupCacheOptions } from '../registry/cache/lookup-cache.options';
import { type Setting, type Settings, valueProblem } from './setting';

export const SETTINGS_OPTIONS = Symbol('SETTINGS_OPTIONS');

/** Keys stand in paths, entity tags and the audit. `__proto__` does not match. */
const KEY = /^[a-z][\w-]{0,63}$/i;

const OF_SETTING: readonly (keyof Setting<unknown>)[] = ['default', 'validate', 'tenant', 'isFeature'];

const ACCESSES: readonly unknown[] = [undefined, 'read', 'write'];

export class CheckedSettingsOptions {
  /**
   * All settings and features, by their keys: 1 to 64 characters of `a-z A-Z 0-9 _ -`, beginning with a letter. Best
   * made with `defineSettings()`.
   */
  @Option(
    kind<Settings>('give defineSettings({ key: setting({ default }) })', isPlainObject, {
      inside: (settings, path) =>
        Object.entries(settings as Settings).flatMap(([key, setting]) =>
          declarationProblems(key, setting as unknown as Setting<unknown> | undefined, path),
        ),
    }),
    { required: true },
  )
  readonly settings!: Settings;

  /**
   * How many tenants' settings are cached, and for how long; `staleIfErrorMs` is how long they are used while the
   * registry cannot be reached.
   */
  @Option(group(CheckedLookupCacheOptions, { variables: false }))
  readonly cache: CheckedLookupCacheOptions = new CheckedLookupCacheOptions();
}

export type TenancySettingsOptions = Pick<CheckedSettingsOptions, 'settings'> &
  Given<Pick<CheckedSettingsOptions, 'cache'>, 'cache'>;

/** Options that are given where the module is imported. */
export class CheckedSettingsExtras {
  /** Whether the route `GET /tenant/settings` exists. Default true. */
  @Option(flag())
  readonly routes: boolean = true;
}

export type TenancySettingsExtras = Given<CheckedSettingsExtras>;

function declarationProblems(key: string, setting: Setting<unknown> | undefined, path: string): FieldError[] {
  const at = `${path}.${key}`;
  if (!KEY.test(key))
    return [
      {
        field: path,
        message: `has the key ${show(key)}: give 1 to 64 of a-z A-Z 0-9 _ -, beginning with a letter`,
      },
    ];
  if (!isPlainObject(setting) || typeof setting.isFeature !== 'boolean')
    return [{ field: at, message: `is ${show(setting)}: give setting({ default }) or feature()` }];
  const unknown = unknownNames(setting, OF_SETTING, `${at}.`);
  if (unknown.length > 0) return unknown;
  const { tenant, validate, isFeature, default: standard } = setting;
  if (validate !== undefined && typeof validate !== 'function')
    return [{ field: `${at}.validate`, message: `is ${show(validate)}: give a function of the value` }];
  if (!ACCESSES.includes(tenant))
    return [{ field: `${at}.tenant`, message: `is ${show(tenant)}: say 'read', 'write' or nothing` }];
  if (isFeature && typeof standard !== 'boolean')
    return [{ field: `${at}.default`, message: `is ${show(standard)}: say true or false` }];
  const problem = valueProblem(setting, standard);
  return problem === undefined ? [] : [{ field: `${at}.default`, message: problem }];
}
