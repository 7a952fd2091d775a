import type { ForwardReference, InjectionToken } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/** The metadata keys under which Nest and TypeScript keep the dependencies of a class. */
const PARAMETERS = 'design:paramtypes';
const NAMED_PARAMETERS = 'self:paramtypes';
const PROPERTIES = 'self:properties_metadata';

export type NestModule = NonNullable<ReturnType<ModulesContainer['get']>>;
/** What Nest knows about a provider. */
export type Wrapper = NonNullable<ReturnType<NestModule['providers']['get']>>;

/**
 * The declared dependencies of a class or factory of the module. Read here, because Nest resolves them only when it
 * makes the instance, and many of its releases know nothing at start about classes that are made for each request.
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

/**
 * Finds a provider as Nest does: in the module itself, or among the exports of its imports, also when they re-export
 * it.
 */
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
