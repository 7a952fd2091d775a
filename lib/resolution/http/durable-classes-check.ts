import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { CURRENT_TENANT } from './current-tenant.provider';
import { declaredDependencies, type NestModule, type Wrapper } from '../declared-dependencies';
import { DurableTenantError } from '../resolution.errors';

/**
 * Refuses a start with `durable: true` classes that are given the tenant by injection, in whatever way. Nest makes one such
 * class for many requests, and all that it injects with it: each later request would work for the first one's tenant.
 */
@Injectable()
export class DurableClassesCheck implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** @throws DurableTenantError that names them */
  onModuleInit(): void {
    const names = [...this.#durable()]
      .filter(([wrapper, module]) => isGivenTenant(wrapper, module))
      .map(([{ name }]) => String(name));
    if (names.length > 0) throw new DurableTenantError([...new Set(names)]);
  }

  *#durable(): Generator<[Wrapper, NestModule]> {
    for (const module of this.modules.values())
      for (const kind of [module.providers, module.controllers, module.injectables, module.middlewares])
        for (const wrapper of kind.values() as Iterable<Wrapper>)
          if (wrapper.durable === true) yield [wrapper, module];
  }
}

function isGivenTenant(wrapper: Wrapper, module: NestModule, seen = new Set<Wrapper>()): boolean {
  if (wrapper.token === CURRENT_TENANT) return true;
  if (seen.has(wrapper)) return false;
  seen.add(wrapper);
  const given = [...declaredDependencies(wrapper, module), ...(wrapper.getEnhancersMetadata() ?? [])];
  return given.some((each) => isGivenTenant(each, each.host ?? module, seen));
}
