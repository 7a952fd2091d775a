import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type CanActivate,
  Controller,
  type DynamicModule,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Headers,
  Inject,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  NotFoundException,
  Scope,
  type Type,
} from '@nestjs/common';
import {
  APP_GUARD,
  type ContextId,
  ContextIdFactory,
  type ContextIdResolver,
  type ContextIdStrategy,
  type HostComponentInfo,
  Reflector,
  REQUEST,
} from '@nestjs/core';
import { ClsModule, ClsService } from 'nestjs-cls';
import { fromHeader, InMemoryTenantStore, TenancyModule, TenantContext } from '../lib/index';
import { type HttpVariant, TENANT_HEADER, tenantSlugs, WHOAMI_PATH } from './http-contract';

interface Whoami {
  readonly tenant: string;
}

@Controller()
class PlainController {
  @Get(WHOAMI_PATH)
  whoami(@Headers(TENANT_HEADER) tenant: string): Whoami {
    return { tenant };
  }
}

@Module({ controllers: [PlainController] })
class PlainModule {}

function plainInHookedProcess(): Type {
  new AsyncLocalStorage<string>().run('', () => undefined);
  return PlainModule;
}

interface ByHandTenant {
  readonly slug: string;
  readonly isActive: boolean;
}

const byHand = new AsyncLocalStorage<ByHandTenant | undefined>();

const TENANT_FREE = 'by-hand:tenant-free';

@Injectable()
class ByHandGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean>(TENANT_FREE, targets)) return true;
    const tenant = byHand.getStore();
    if (!tenant) throw new NotFoundException('No tenant has this name.');
    if (!tenant.isActive) throw new ForbiddenException('The tenant is not active.');
    return true;
  }
}

@Controller()
class ByHandController {
  @Get(WHOAMI_PATH)
  whoami(): Whoami {
    return { tenant: byHand.getStore()!.slug };
  }
}

/**
 * What a careful engineer would write without a library: the tenant is found in a Map and runs what follows, and a guard
 * refuses unknown and suspended ones except on marked routes, as `ours` does. Left out is the rest of what `ours` does for
 * the same request: `Vary`, repeated headers, names that no tenant can have, and the age of the answer.
 */
@Module({ controllers: [ByHandController], providers: [{ provide: APP_GUARD, useClass: ByHandGuard }] })
class ByHandModule implements NestModule {
  readonly #tenants = new Map(tenantSlugs().map((slug) => [slug, { slug, isActive: true }]));

  configure(consumer: MiddlewareConsumer): void {
    const use = ({ headers }: IncomingMessage, _response: unknown, next: () => void) =>
      byHand.run(this.#tenants.get(headers[TENANT_HEADER] as string), next);
    consumer.apply(use).forRoutes('{*splat}');
  }
}

@Injectable()
class TenancyService {
  constructor(private readonly context: TenantContext) {}

  whoami(): Whoami {
    return { tenant: this.context.tenant().slug };
  }
}

@Controller()
class TenancyController {
  constructor(private readonly service: TenancyService) {}

  @Get(WHOAMI_PATH)
  whoami(): Whoami {
    return this.service.whoami();
  }
}

/** The lookup keeps the tenants as it does in production; behind it is memory instead of the registry. */
async function oursModule(): Promise<DynamicModule> {
  const store = new InMemoryTenantStore();
  for (const slug of tenantSlugs()) {
    await store.insert({
      id: randomUUID(),
      slug,
      name: slug,
      schemaName: `t_${slug}`,
      status: 'active',
      domains: [],
      metadata: {},
      templateVersion: null,
      schemaVersion: null,
    });
  }
  return {
    module: class OursModule {},
    imports: [TenancyModule.forRoot({ entities: [], resolvers: [fromHeader(TENANT_HEADER)], store })],
    controllers: [TenancyController],
    providers: [TenancyService],
  };
}

@Injectable()
class ClsTenantService {
  constructor(private readonly cls: ClsService) {}

  whoami(): Whoami {
    return { tenant: this.cls.get('tenant') };
  }
}

@Controller()
class ClsController {
  constructor(private readonly service: ClsTenantService) {}

  @Get(WHOAMI_PATH)
  whoami(): Whoami {
    return this.service.whoami();
  }
}

/** The name of the tenant in AsyncLocalStorage, and no more: nothing is looked up, nothing is refused. */
@Module({
  imports: [
    ClsModule.forRoot({
      middleware: {
        mount: true,
        setup: (cls, request: IncomingMessage) => cls.set('tenant', request.headers[TENANT_HEADER]),
      },
    }),
  ],
  controllers: [ClsController],
  providers: [ClsTenantService],
})
class ClsAppModule {}

@Injectable({ scope: Scope.REQUEST })
class RequestTenant {
  readonly slug: string;

  constructor(@Inject(REQUEST) request: IncomingMessage) {
    this.slug = request.headers[TENANT_HEADER] as string;
  }
}

@Injectable()
class RequestScopedService {
  constructor(private readonly tenant: RequestTenant) {}

  whoami(): Whoami {
    return { tenant: this.tenant.slug };
  }
}

@Controller()
class RequestScopedController {
  constructor(private readonly service: RequestScopedService) {}

  @Get(WHOAMI_PATH)
  whoami(): Whoami {
    return this.service.whoami();
  }
}

@Module({ controllers: [RequestScopedController], providers: [RequestTenant, RequestScopedService] })
class RequestScopedModule {}

/** One sub-tree of providers for each tenant, as Nest's documentation shows it. */
class ByTenantContextIdStrategy implements ContextIdStrategy {
  readonly #roots = new Map<string, ContextId>();

  attach(contextId: ContextId, request: IncomingMessage): ContextIdResolver {
    const tenant = request.headers[TENANT_HEADER] as string;
    const root = this.#roots.get(tenant) ?? ContextIdFactory.create();
    this.#roots.set(tenant, root);
    return {
      resolve: (info: HostComponentInfo) => (info.isTreeDurable ? root : contextId),
      payload: { tenant },
    };
  }
}

@Injectable({ scope: Scope.REQUEST, durable: true })
class DurableService {
  constructor(@Inject(REQUEST) private readonly payload: Whoami) {}

  whoami(): Whoami {
    return { tenant: this.payload.tenant };
  }
}

@Controller({ scope: Scope.REQUEST, durable: true })
class DurableController {
  constructor(private readonly service: DurableService) {}

  @Get(WHOAMI_PATH)
  whoami(): Whoami {
    return this.service.whoami();
  }
}

@Module({ controllers: [DurableController], providers: [DurableService] })
class DurableModule {}

/** The strategy is the process's, in which nothing else runs. */
function durableModule(): Type {
  ContextIdFactory.apply(new ByTenantContextIdStrategy());
  return DurableModule;
}

export const httpApps: Readonly<Record<HttpVariant, () => Type | Promise<DynamicModule>>> = {
  plain: () => PlainModule,
  als: plainInHookedProcess,
  'by-hand': () => ByHandModule,
  ours: oursModule,
  cls: () => ClsAppModule,
  'request-scoped': () => RequestScopedModule,
  durable: durableModule,
};
