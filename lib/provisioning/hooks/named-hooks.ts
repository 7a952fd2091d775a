import type { Type } from '@nestjs/common';
import type { DiscoverableDecorator, DiscoveryService } from '@nestjs/core';
import { providerClass } from '../../common/provider-class';
import { InvalidHookError } from '../provisioning-start.errors';

export interface NamedHook<Hook> {
  readonly name: string;
  readonly run: Hook;
}

export interface HookSources<Hook> {
  /** The hooks given in the options. */
  readonly functions: readonly Hook[];
  /** The metadata key that marks a provider. */
  readonly decorator: DiscoverableDecorator<unknown>;
  /** The decorator's name. */
  readonly decoratorName: string;
  /** The name of the option, and of the method that a marked provider has. */
  readonly method: string;
  /** Whether a marked provider may be without the method. */
  readonly isOptional?: boolean;
}

/**
 * The application's hooks of one kind: functions of the options first, then classes in the order in which Nest knows
 * them.
 *
 * @throws InvalidHookError
 */
export function namedHooks<Hook extends (...args: never[]) => unknown>(
  discovery: DiscoveryService,
  { functions, decorator, decoratorName, method, isOptional = false }: HookSources<Hook>,
): NamedHook<Hook>[] {
  const ofOptions = functions.map((run, place) => ({ name: run.name || `hooks.${method}[${place}]`, run }));
  const ofClasses = markedProviders(discovery, decorator, decoratorName).flatMap(({ name, instance }) => {
    const run = instance?.[method];
    if (run === undefined && isOptional) return [];
    if (typeof run !== 'function')
      throw new InvalidHookError(name, decoratorName, `it has no method ${method}`);
    return [{ name, run: run.bind(instance) as Hook }];
  });
  return [...ofOptions, ...ofClasses];
}

/**
 * The providers whose class is marked, in the order in which Nest knows them.
 *
 * @throws InvalidHookError
 */
export function markedProviders(
  discovery: DiscoveryService,
  decorator: DiscoverableDecorator<unknown>,
  decoratorName: string,
): { readonly name: string; readonly instance: Readonly<Record<string, unknown>> | undefined }[] {
  // Nest 11 itself remembers one decorator of a class, so that one with two kinds of hooks would lose one.
  const isMarked = (type: Type | undefined) =>
    type !== undefined && Reflect.hasOwnMetadata(decorator.KEY, type);
  const marked = discovery.getProviders().filter((provider) => isMarked(providerClass(provider)));
  return marked.map((provider) => {
    const name = String(provider.name);
    if (!provider.isDependencyTreeStatic())
      throw new InvalidHookError(name, decoratorName, 'it, or something it injects, is request-scoped');
    return { name, instance: provider.instance as Readonly<Record<string, unknown>> | undefined };
  });
}
