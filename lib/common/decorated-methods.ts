import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { show } from './show-value';
import type { FieldError } from './tenancy.errors';

type Method<Args extends unknown[]> = (this: object, ...args: Args) => unknown;

/** A method that a decorator has marked. */
export interface DecoratedMethod<Metadata, Args extends unknown[]> {
  /** `Invoices.remind`. */
  readonly where: string;
  readonly metadata: Metadata;
  /** `undefined` for a class of which there is an instance for each request, or each class that injects it. */
  readonly call: ((...args: Args) => unknown) | undefined;
}

/** All methods of controllers and providers whose decorator has set metadata under `key`, once all providers are there. */
export function decoratedMethods<Metadata, Args extends unknown[]>(
  key: string,
  discovery: DiscoveryService,
  scanner: MetadataScanner,
): DecoratedMethod<Metadata, Args>[] {
  const seen = new Set<object>();
  return [...discovery.getControllers(), ...discovery.getProviders()].flatMap((wrapper) => {
    const instance = wrapper.instance as object | null | undefined;
    if (typeof instance !== 'object' || instance === null || seen.has(instance)) return [];
    // An alias of a provider (useExisting) has the same instance.
    seen.add(instance);
    const prototype = Object.getPrototypeOf(instance) as Record<string, Method<Args>> | null;
    if (!prototype) return [];
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const method = prototype[name];
      const metadata: unknown = typeof method === 'function' ? Reflect.getMetadata(key, method) : undefined;
      if (metadata === undefined) return [];
      const isStatic = wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
      const where = `${(prototype.constructor as { name?: string }).name ?? wrapper.name}.${name}`;
      const call = isStatic ? (...args: Args) => method.apply(instance, args) : undefined;
      return [{ where, metadata: metadata as Metadata, call }];
    });
  });
}

/** A problem for each name that several have, where all instances know each by its name. `what`: `timer`. */
export function namesakes(what: string, names: readonly string[]): FieldError[] {
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...twice].map((name) => ({
    field: `the ${what} ${show(name)}`,
    message: `is there ${names.filter((each) => each === name).length} times: give each a name of its own, and its class to one module`,
  }));
}
