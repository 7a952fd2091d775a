import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ApplicationConfig, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { SharedCacheError } from '../resolution.errors';
import { TENANT_NEED } from './tenant-route.decorator';

/** As Nest marks what `@UseInterceptors()` was given, and a route. */
const INTERCEPTORS = '__interceptors__';
const PATH = 'path';

type Class = abstract new (...args: never[]) => object;

/** A handler, with what is marked on it and on its class. */
interface Handler {
  readonly name: string;
  readonly isRoute: boolean;
  readonly isFree: boolean;
  readonly interceptors: readonly unknown[];
}

/**
 * Refuses a start with Nest's own `CacheInterceptor` before handlers of tenants: its key is the URL, or what `@CacheKey()`
 * says, which is the same for every tenant.
 */
@Injectable()
export class SharedCacheCheck implements OnModuleInit {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly config: ApplicationConfig,
    private readonly scanner: MetadataScanner,
  ) {}

  /** @throws SharedCacheError that names them */
  onModuleInit(): void {
    const handlers = [...this.#classes()].flatMap((each) => this.#handlersOf(each));
    const ofTenants = handlers.filter(({ isFree }) => !isFree);
    const isGlobal = this.#globalInterceptors().some(isSharedCache);
    const cached = ofTenants.filter(({ isRoute, interceptors }) =>
      isGlobal ? isRoute : interceptors.some(isSharedCache),
    );
    if (cached.length > 0) throw new SharedCacheError([...new Set(cached.map(({ name }) => name))]);
  }

  *#classes(): Generator<Class> {
    for (const { controllers, providers } of this.modules.values())
      for (const wrappers of [controllers, providers])
        for (const { metatype } of wrappers.values())
          if (typeof metatype === 'function' && typeof metatype.prototype === 'object')
            yield metatype as Class;
  }

  #handlersOf(type: Class): Handler[] {
    const prototype = type.prototype as Record<string, object>;
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const marks = prototype[method];
      // What no decorator has marked is called by nobody but its own application.
      if (Reflect.getMetadataKeys(marks).length === 0) return [];
      const read = (key: string): unknown =>
        Reflect.getMetadata(key, marks) ?? Reflect.getMetadata(key, type);
      return [
        {
          name: `${type.name}.${method}()`,
          isRoute: Reflect.hasMetadata(PATH, marks),
          isFree: read(TENANT_NEED) === 'free',
          interceptors: [type, marks].flatMap(
            (marked) => (Reflect.getMetadata(INTERCEPTORS, marked) as unknown[] | undefined) ?? [],
          ),
        },
      ];
    });
  }

  #globalInterceptors(): unknown[] {
    const scoped = this.config.getGlobalRequestInterceptors().map(({ metatype }) => metatype);
    return [...this.config.getGlobalInterceptors(), ...scoped];
  }
}

/**
 * Whether its keys are those of `CacheInterceptor` of `@nestjs/cache-manager`. Known by its shape: the package need not be
 * there, and may be there more than once, and a bundler may have renamed the class.
 */
function isSharedCache(interceptor: unknown): boolean {
  let prototype: unknown =
    typeof interceptor === 'function' ? interceptor.prototype : Object.getPrototypeOf(interceptor);
  while (typeof prototype === 'object' && prototype !== null && !Object.hasOwn(prototype, 'trackBy'))
    prototype = Object.getPrototypeOf(prototype);
  if (typeof prototype !== 'object' || prototype === null) return false;
  // What extends it may have both as well.
  const isBase = Object.getPrototypeOf(prototype) === Object.prototype;
  return isBase && Object.hasOwn(prototype, 'isRequestCacheable');
}
