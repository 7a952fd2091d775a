import type { ForwardReference, InjectionToken } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/** As Nest and TypeScript mark what a class is given. */
const PARAMETERS = 'design:paramtypes';
const NAMED_PARAMETERS = 'self:paramtypes';
const PROPERTIES = 'self:properties_metadata';

export type NestModule = NonNullable<ReturnType<ModulesContainer['get']>>;
/** What Nest knows of a class or factory. */
export type Wrapper = NonNullable<ReturnType<NestModule['providers']['get']>>;

/**
 * What a class or factory of the module says it is given. Read here, since Nest itself looks only when it makes it: of what it
 * makes for each request, many of its releases know nothing at the start.
 */
export function declaredDependencies(wrapper: Wrapper, module: NestModule): Wrapper[] {
  return declaredTokens(wrapper)
    .map((token) => provided(token, module))
    .filter((each) => each !== undefined);
}

function declaredTokens({ metatype, inject }: Wrapper): InjectionToken[] {
  if (inject)
    return inject.map((each: unknown) => bare(isObject(each) && 'token' in each ? each.token : each));
  if (typeof metatype !== 'function') return [];
  const read = <Each>(key: string) => (Reflect.getMetadata(key, metatype) as Each[] | undefined) ?? [];
  const parameters = [...read(PARAMETERS)];
  for (const { index, param } of read<{ index: number; param: unknown }>(NAMED_PARAMETERS))
    parameters[index] = param;
  return [...parameters, ...read<{ type: unknown }>(PROPERTIES).map(({ type }) => type)].map(bare);
}

/** The token behind `forwardRef()`. */
function bare(token: unknown): InjectionToken {
  const isForward = isObject(token) && 'forwardRef' in token;
  return (
    isForward ? (token as ForwardReference<() => InjectionToken>).forwardRef() : token
  ) as InjectionToken;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** As Nest finds it: in the module itself, or exported by what it imports, or by what that imports and exports in turn. */
function provided(token: InjectionToken, module: NestModule): Wrapper | undefined {
  return module.providers.get(token) ?? exported(token, [...module.imports], new Set());
}

function exported(
  token: InjectionToken,
  modules: readonly NestModule[],
  seen: Set<NestModule>,
): Wrapper | undefined {
  for (const each of modules) {
    if (seen.has(each)) continue;
    seen.add(each);
    const reexported = [...each.imports].filter(({ metatype }) => each.exports.has(metatype));
    const own = each.exports.has(token) ? each.providers.get(token) : undefined;
    const found = own ?? exported(token, reexported, seen);
    if (found) return found;
  }
  return undefined;
}
