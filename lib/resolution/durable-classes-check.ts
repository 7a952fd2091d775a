import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { CURRENT_TENANT } from './current-tenant.provider';
import { DurableTenantError } from './resolution.errors';

/** What Nest knows of a class or factory, and this check needs. */
interface Wrapper {
  readonly name: unknown;
  readonly token: unknown;
  readonly durable?: boolean;
  getCtorMetadata(): readonly Wrapper[] | undefined;
  getPropertiesMetadata(): readonly { readonly wrapper: Wrapper }[] | undefined;
  getEnhancersMetadata(): readonly Wrapper[] | undefined;
}

/**
 * Refuses a start with `durable: true` classes that are given the tenant by injection, in whatever way. Nest makes one such
 * class for many requests, and all that it injects with it: each later request would work for the first one's tenant.
 */
@Injectable()
export class DurableClassesCheck implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** @throws DurableTenantError that names them */
  onModuleInit(): void {
    const durable = [...this.#wrappers()].filter((wrapper) => wrapper.durable === true);
    const names = durable.filter((wrapper) => isGivenTenant(wrapper)).map(({ name }) => String(name));
    if (names.length > 0) throw new DurableTenantError([...new Set(names)]);
  }

  *#wrappers(): Generator<Wrapper> {
    for (const { providers, controllers, injectables } of this.modules.values())
      for (const wrappers of [providers, controllers, injectables])
        yield* wrappers.values() as Iterable<Wrapper>;
  }
}

function isGivenTenant(wrapper: Wrapper, seen = new Set<Wrapper>()): boolean {
  if (wrapper.token === CURRENT_TENANT) return true;
  if (seen.has(wrapper)) return false;
  seen.add(wrapper);
  const dependencies = [
    ...(wrapper.getCtorMetadata() ?? []),
    ...(wrapper.getPropertiesMetadata() ?? []).map((property) => property.wrapper),
    ...(wrapper.getEnhancersMetadata() ?? []),
  ];
  // Nest leaves holes where a dependency is optional and not there.
  return dependencies.some((each) => (each as Wrapper | undefined) && isGivenTenant(each, seen));
}
