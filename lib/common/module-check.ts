import {
  type CanActivate,
  type FactoryProvider,
  Injectable,
  type InjectionToken,
  mixin,
  type OnModuleInit,
  Optional,
  type Provider,
  type Type,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  ModuleImportedTwiceError,
  ModuleLoadedLateError,
  ModuleMissingError,
  ModuleWithoutOptionsError,
} from './start.errors';

/** Whether the application that it belongs to has started. It needs nothing, so Nest can make it as it is. */
export class StartState implements OnModuleInit {
  isOver = false;

  onModuleInit(): void {
    this.isOver = true;
  }
}

interface Needed {
  /** What needs it, if not the module itself. */
  readonly by?: string;
  readonly module: Type;
  /** A token that it provides when it was imported with options. Default: this is not checked. */
  readonly options?: InjectionToken;
}

/**
 * The providers of a module, behind one that fails the start in words when another module is missing, or this one is
 * there twice, or without `options`, the token of what `forRoot()` is given. Nest by itself would say nothing, or name
 * a class that nobody outside knows: it looks for what classes need before it makes the first of them. So what these
 * need may be missing, for as long as it takes to say so.
 */
export function checkedProviders(
  self: () => Type,
  options: InjectionToken,
  needs: () => readonly Needed[],
  providers: readonly Provider[],
): Provider[] {
  const check = moduleCheck(self, options, needs);
  return [check, ...providers.map(mayMiss).map((each) => after(check.provide, each))];
}

/** The first of these alone, for a module that needs no other. */
export function moduleCheck(
  self: () => Type,
  options: InjectionToken,
  needs: () => readonly Needed[] = () => [],
): FactoryProvider {
  return {
    provide: Symbol('MODULE_CHECK'),
    // A value of Nest's own, for which nothing has to be made first.
    inject: [ModulesContainer],
    useFactory: (container: ModulesContainer) => {
      const modules = [...container.values()];
      const those = (module: Type) =>
        modules.filter(({ metatype }) => metatype === module || metatype.prototype instanceof module);
      const { name } = self();
      if (isStarted(modules)) throw new ModuleLoadedLateError(name);
      const missing = needs().filter(({ module }) => those(module).length === 0);
      if (missing.length > 0)
        throw new ModuleMissingError(...missing.map(({ module, by = name }) => [by, module.name] as const));
      for (const each of [...needs(), { module: self(), options }])
        if (each.options && !those(each.module).some(({ providers }) => providers.has(each.options!)))
          throw new ModuleWithoutOptionsError(each.module.name);
      const times = those(self()).length;
      if (times > 1) throw new ModuleImportedTwiceError(name, times);
      return true;
    },
  };
}

/** Nest says it of no module: it calls hooks when all are there. */
function isStarted(
  modules: readonly { readonly providers: Map<unknown, { readonly instance: unknown }> }[],
): boolean {
  return modules.some(({ providers }) => {
    const state = providers.get(StartState)?.instance;
    return state instanceof StartState && state.isOver;
  });
}

/**
 * A guard that looks at no request: it keeps an application from starting that has the decorator, and not the module
 * that it works by. That one is known by a token that it provides: its file reads the decorator's.
 */
export function needsModule(provides: InjectionToken, missing: () => Error): Type<CanActivate> {
  @Injectable()
  class NeedsModule implements CanActivate {
    constructor(container: ModulesContainer) {
      const isThere = [...container.values()].some(({ providers }) => providers.has(provides));
      if (!isThere) throw missing();
    }

    canActivate(): boolean {
      return true;
    }
  }
  return mixin(NeedsModule);
}

/** The provider, for which Nest does not miss what it needs. */
export function mayMiss(provider: Provider): Provider {
  if (typeof provider === 'function') parametersMayMiss(provider);
  else if ('useClass' in provider) parametersMayMiss(provider.useClass);
  else if ('useFactory' in provider && provider.inject)
    return {
      ...provider,
      inject: provider.inject.map((each) =>
        typeof each === 'object' && 'token' in each ? each : { token: each, optional: true },
      ),
    };
  return provider;
}

/** A factory is called after the check: it may rely on the options. */
function after(check: InjectionToken, provider: Provider): Provider {
  if (typeof provider === 'function' || !('useFactory' in provider)) return provider;
  const { inject = [], useFactory } = provider;
  return {
    ...provider,
    inject: [check, ...inject],
    useFactory: (_checked: unknown, ...given: unknown[]): unknown => useFactory(...given),
  };
}

function parametersMayMiss(type: Type): void {
  const parameters = (Reflect.getMetadata('design:paramtypes', type) ?? []) as unknown[];
  for (const index of parameters.keys()) Optional()(type, undefined, index);
}
