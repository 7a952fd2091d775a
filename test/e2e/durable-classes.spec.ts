import {
  type CanActivate,
  Controller,
  forwardRef,
  Get,
  Inject,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type ModuleMetadata,
  type NestMiddleware,
  type NestModule,
  Optional,
  Scope,
  UseGuards,
} from '@nestjs/common';
import {
  type ContextId,
  ContextIdFactory,
  type ContextIdStrategy,
  type HostComponentInfo,
} from '@nestjs/core';
import { CURRENT_TENANT, TenancyModule, type Tenant, TenantContext } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestAppOptions } from '../support/test-app';

const DURABLE = { scope: Scope.REQUEST, durable: true };

@Injectable(DURABLE)
class Injects {
  constructor(@Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined) {}
}

@Injectable(DURABLE)
class InjectsAsProperty {
  @Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined;
}

@Injectable()
class Between {
  constructor(@Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined) {}
}

@Injectable(DURABLE)
class InjectsThrough {
  constructor(readonly between: Between) {}
}

const FACTORY = {
  provide: 'FACTORY',
  ...DURABLE,
  inject: [CURRENT_TENANT],
  useFactory: (tenant: Tenant | undefined) => ({ tenant }),
};

@Injectable({ scope: Scope.TRANSIENT })
class BetweenPassing {
  @Optional() @Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined;
}

@Injectable(DURABLE)
class InjectsThroughPassing {
  constructor(@Inject(forwardRef(() => BetweenPassing)) readonly between: BetweenPassing) {}
}

@Module({ providers: [Between], exports: [Between] })
class FarModule {}

@Module({ imports: [FarModule], exports: [FarModule] })
class NearModule {}

@Injectable(DURABLE)
class InjectingGuard implements CanActivate {
  constructor(@Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined) {}
  canActivate() {
    return true;
  }
}

@Controller('guarded')
@UseGuards(InjectingGuard)
class GuardedController {
  @Get() get() {}
}

@Injectable(DURABLE)
class InjectingMiddleware implements NestMiddleware {
  constructor(@Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined) {}
  use(_request: unknown, _response: unknown, next: () => void) {
    next();
  }
}

@Module({})
class InjectingMiddlewareModule implements NestModule {
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(InjectingMiddleware).forRoutes('*path');
  }
}

const OPTIONAL_FACTORY = { ...FACTORY, inject: [{ token: CURRENT_TENANT, optional: true }] };

@Injectable(DURABLE)
class AsksContext {
  constructor(private readonly context: TenantContext) {}
  slug() {
    return this.context.tenant().slug;
  }
}

@Controller({ path: 'slug', ...DURABLE })
class SlugController {
  constructor(private readonly asks: AsksContext) {}
  @Get() slug() {
    return { slug: this.asks.slug() };
  }
}

/** As somebody may have it for reasons of his own: one set of durable classes for all requests. */
class OneForAll implements ContextIdStrategy {
  readonly #shared = ContextIdFactory.create();
  attach(contextId: ContextId) {
    return (info: HostComponentInfo) => (info.isTreeDurable ? this.#shared : contextId);
  }
}

describe('A durable class', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    ContextIdFactory.apply(new OneForAll());
  });
  afterAll(() => database.drop());

  const start = ({ imports = [], ...metadata }: ModuleMetadata, options?: TestAppOptions) =>
    startTestApp(
      { imports: [TenancyModule.forRoot(notesOptions(database)), ...imports], ...metadata },
      options,
    );

  it.each([
    ['by its constructor', 'Injects', { providers: [Injects] }],
    ['by a property', 'InjectsAsProperty', { providers: [InjectsAsProperty] }],
    ['through another class', 'InjectsThrough', { providers: [InjectsThrough, Between] }],
    [
      'through a transient class',
      'InjectsThroughPassing',
      { providers: [InjectsThroughPassing, BetweenPassing] },
    ],
    [
      'through a class of another module',
      'InjectsThrough',
      { imports: [NearModule], providers: [InjectsThrough] },
    ],
    ['as a factory', 'FACTORY', { providers: [FACTORY] }],
    ['as a factory that can do without', 'FACTORY', { providers: [OPTIONAL_FACTORY] }],
    ['as a guard', 'InjectingGuard', { controllers: [GuardedController] }],
    ['as middleware', 'InjectingMiddleware', { imports: [InjectingMiddlewareModule] }],
  ] as [string, string, ModuleMetadata][])(
    'that is given the tenant %s fails the start, with the remedy',
    async (_, name, metadata) => {
      await expect(start(metadata)).rejects.toMatchObject({
        code: 'DURABLE_TENANT',
        classes: [name],
        message: expect.stringContaining('Inject TenantContext'),
      });
    },
  );

  it('that asks TenantContext works for each request’s own tenant', async () => {
    const { get, create, close } = await start({
      controllers: [SlugController],
      providers: [AsksContext, Between],
    });
    for (const slug of ['acme', 'globex']) await create({ slug });
    for (const slug of ['acme', 'globex', 'acme'])
      await expect(get('/slug', slug)).resolves.toMatchObject({ status: 200, body: { slug } });
    await close();
  });
});
