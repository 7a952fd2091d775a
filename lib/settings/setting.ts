import { jsonValueProblem } from '../registry/metadata';
import { typeName } from './json-values';

/** What a tenant may do with its own setting. */
export type TenantAccess = 'read' | 'write';

export interface SettingOptions<Value> {
  /**
   * For tenants without a value of their own: any JSON value. Values of another JSON type are refused, unless this is
   * `null`.
   */
  readonly default: Value;
  /**
   * Returns `true` if a value is allowed, else why not: the end of a sentence that begins with the key. It is only
   * called with values of the default's JSON type. It must check the contents of objects and arrays itself.
   */
  readonly validate?: (value: Value) => boolean | string;
  /**
   * What the tenant itself may do: `read`, or `write`, which includes reading. Default: nothing; only the operator sees
   * and changes it.
   */
  readonly tenant?: TenantAccess;
}

export type FeatureOptions = Partial<Omit<SettingOptions<boolean>, 'validate'>>;

/** A declared setting. */
export interface Setting<Value> extends SettingOptions<Value> {
  readonly isFeature: boolean;
}

/** Declared settings, by their keys. */
// A setting both takes and returns its type of value, so only `any` fits settings of every type.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Settings = Readonly<Record<string, Setting<any>>>;

export type KeyOf<S extends Settings> = keyof S & string;
export type ValueOf<S extends Settings, Key extends keyof S> =
  S[Key] extends Setting<infer Value> ? Value : never;

/** Declares a setting with a value of any JSON type. */
export function setting<Value>(options: SettingOptions<Value>): Setting<Value> {
  return { ...options, isFeature: false };
}

/** Declares a feature, which is on or off, by default off: for `@RequireFeature()`. */
export function feature(options: FeatureOptions = {}): Setting<boolean> {
  return { default: false, ...options, isFeature: true };
}

/**
 * Returns `settings` unchanged, with their types: for `TenancySettingsModule.forRoot()` and `TenantSettings<typeof …>`.
 */
export function defineSettings<S extends Settings>(settings: S): S {
  return settings;
}

/** Why a value is not allowed, as the end of a sentence that begins with the key. Throws what `validate` throws. */
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
