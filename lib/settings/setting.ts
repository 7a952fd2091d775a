import { jsonValueProblem } from '../registry/metadata';
import { typeName } from './json-values';

/** What a tenant may do with a setting of its own by itself. */
export type TenantAccess = 'read' | 'write';

export interface SettingOptions<Value> {
  /** For every tenant that has none of its own: any JSON value. Values of another JSON type are refused, unless it is `null`. */
  readonly default: Value;
  /**
   * Whether a value may be set, `true`, or why not: the end of a sentence that begins with the key. Called with values of
   * the default's JSON type only; what is inside objects and arrays is for it to look at.
   */
  readonly validate?: (value: Value) => boolean | string;
  /** What the tenant itself may do: `read`, or `write`, which includes it. Default: nothing; it is the operator's alone. */
  readonly tenant?: TenantAccess;
}

export type FeatureOptions = Partial<Omit<SettingOptions<boolean>, 'validate'>>;

/** One setting, as it was declared. */
export interface Setting<Value> extends SettingOptions<Value> {
  readonly isFeature: boolean;
}

/** By their keys. */
// A setting takes its values and gives them, so only `any` stands for all of them.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Settings = Readonly<Record<string, Setting<any>>>;

export type KeyOf<S extends Settings> = keyof S & string;
export type ValueOf<S extends Settings, Key extends keyof S> =
  S[Key] extends Setting<infer Value> ? Value : never;

/** A value of any JSON type. */
export function setting<Value>(options: SettingOptions<Value>): Setting<Value> {
  return { ...options, isFeature: false };
}

/** On or off, off by default: for `@RequireFeature()`. */
export function feature(options: FeatureOptions = {}): Setting<boolean> {
  return { default: false, ...options, isFeature: true };
}

/** `settings` as they are, with their types: for `TenancySettingsModule.forRoot()` and `TenantSettings<typeof …>`. */
export function defineSettings<S extends Settings>(settings: S): S {
  return settings;
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
