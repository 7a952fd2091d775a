import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, type MiddlewareConsumer, Module, type NestModule, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { CurrentTenant, fromHeader, TenancyModule, TenantContext, TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

type Next = () => void;

@Controller()
class WhoController {
  @Get('who')
  who(@CurrentTenant('slug') slug: string) {
    return { who: slug };
  }
}

/** Its middleware says whom it runs for. */
@Module({})
class HeaderModule implements NestModule {
  constructor(private readonly context: TenantContext) {}

  configure(consumer: MiddlewareConsumer): void {
    const use = (_request: IncomingMessage, response: ServerResponse, next: Next) => {
      response.setHeader('x-seen', this.context.find()?.slug ?? 'nobody');
      next();
    };
    consumer.apply(use).forRoutes('{*splat}');
  }
}

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const tenancy = () =>
  TenancyModule.forRoot(notesOptions(database, { resolvers: [fromHeader('x-tenant-id')] }));

describe.each(ADAPTERS)('the middleware on %s', (_platform, adapter) => {
  let running: TestApp;
  afterEach(() => running.close());

  it.each([
    ['without a prefix', undefined, '/who'],
    ['under a prefix', 'api', '/api/who'],
  ])('comes after app.use() and before the middleware of modules, %s', async (_where, prefix, path) => {
    running = await startTestApp(
      { imports: [HeaderModule, tenancy()], controllers: [WhoController] },
      {
        adapter: adapter(),
        prepare: (app) => {
          if (prefix) app.setGlobalPrefix(prefix);
          app.use(({ headers }: IncomingMessage, _response: unknown, next: Next) => {
            if (headers['x-tenant-id'] === 'renamed') headers['x-tenant-id'] = 'acme';
            next();
          });
        },
      },
    );
    await running.create({ slug: 'acme' });
    const answer = await fetch(running.url + path, { headers: { 'x-tenant-id': 'renamed' } });
    await expect(answer.json()).resolves.toEqual({ who: 'acme' });
    expect(answer.headers.get('x-seen')).toBe('acme');
  });
});

@Controller()
class OwnKeysController {
  @Get('own-keys')
  keys(@Req() request: IncomingMessage, @Res({ passthrough: true }) response: ServerResponse) {
    const keys = [...Reflect.ownKeys(request), ...Reflect.ownKeys(response)].map(String);
    return keys.filter((key) => key === 'writeHead' || key.includes('tenancy'));
  }
}

it('adds no property to the requests and answers of Express, where each makes all others slower', async () => {
  const running = await startTestApp({ imports: [tenancy()], controllers: [OwnKeysController] });
  try {
    await running.create({ slug: 'acme' });
    await expect(running.get('/own-keys', 'acme')).resolves.toEqual({ status: 200, body: [] });
  } finally {
    await running.close();
  }
});

it.each([
  ['', undefined],
  [', which lie outside a prefix', 'api'],
])(
  "runs for the routes of Fastify's plugins, also those that were there before the application began%s",
  async (_where, prefix) => {
    @Module({ imports: [tenancy()], controllers: [WhoController] })
    class RootModule {}
    const app = await NestFactory.create<NestFastifyApplication>(RootModule, new FastifyAdapter(), {
      logger: false,
    });
    if (prefix) app.setGlobalPrefix(prefix);
    const fastify = app.getHttpAdapter().getInstance();
    const slug = () => Promise.resolve({ plugin: app.get(TenantContext).find()?.slug ?? 'nobody' });
    await fastify.register((early, _options, done) => {
      early.get('/early', slug);
      done();
    });
    try {
      await app.init();
      await app.get(TenantProvisioner).create({ slug: 'acme' });
      await app.listen(0, '127.0.0.1');
      const answer = await rawRequest(await app.getUrl(), '/early', { headers: { 'x-tenant-id': 'acme' } });
      expect(answer.body).toEqual({ plugin: 'acme' });
    } finally {
      await app.close();
    }
  },
);
