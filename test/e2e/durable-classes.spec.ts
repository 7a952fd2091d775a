import { Controller, Get, Inject, Injectable, Scope } from '@nestjs/common';
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

  const start = (metadata: object, options?: TestAppOptions) =>
    startTestApp({ imports: [TenancyModule.forRoot(notesOptions(database))], ...metadata }, options);

  it.each([
    ['by its constructor', 'Injects', { providers: [Injects] }],
    ['by a property', 'InjectsAsProperty', { providers: [InjectsAsProperty] }],
    ['through another class', 'InjectsThrough', { providers: [InjectsThrough, Between] }],
    ['as a factory', 'FACTORY', { providers: [FACTORY] }],
  ])('that is given the tenant %s fails the start, with the remedy', async (_, name, metadata) => {
    await expect(start(metadata)).rejects.toMatchObject({
      code: 'DURABLE_TENANT',
      classes: [name],
      message: expect.stringContaining('Inject TenantContext'),
    });
  });

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
