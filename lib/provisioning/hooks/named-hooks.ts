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
}

/**
 * The application's hooks of one kind: functions of the options first, then classes in the order in which Nest knows
 * them.
 *
 * @throws InvalidHookError
 */
export function namedHooks<Hook extends (...args: never[]) => unknown>(
  discovery: DiscoveryService,
  { functions, decorator, decoratorName, method }: HookSources<Hook>,
): NamedHook<Hook>[] {
  const ofOptions = functions.map((run, place) => ({ name: run.name || `hooks.${method}[${place}]`, run }));
  // Nest 11 itself remembers one decorator of a class, so that one with two kinds of hooks would lose one.
  const isMarked = (type: Type | undefined) =>
    type !== undefined && Reflect.hasOwnMetadata(decorator.KEY, type);
  const marked = discovery.getProviders().filter((provider) => isMarked(providerClass(provider)));
  const ofClasses = marked.map((provider) => {
    const name = String(provider.name);
    const instance = provider.instance as Record<string, unknown> | undefined;
    const run = instance?.[method];
    if (!provider.isDependencyTreeStatic()) {
      throw new InvalidHookError(name, decoratorName, 'it, or something it injects, is request-scoped');
    }
    if (typeof run !== 'function') {
      throw new InvalidHookError(name, decoratorName, `it has no method ${method}`);
    }
    return { name, run: run.bind(instance) as Hook };
  });
  return [...ofOptions, ...ofClasses];
}
