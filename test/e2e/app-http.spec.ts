import {
  Controller,
  Get,
  Post,
  RequestMethod,
  VERSION_NEUTRAL,
  Version,
  VersioningType,
  type Type,
} from '@nestjs/common';
import helmet from 'helmet';
import {
  CurrentTenant,
  fromHeader,
  fromSubdomain,
  TenancyModule,
  TenantContext,
  TenantFree,
  TenantOptional,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/test-app';

const ok = (body: unknown) => ({ status: 200, body });
const refusal = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});
const NOT_FOUND = refusal(404, 'TENANT_NOT_FOUND');
const MISSING = refusal(400, 'TENANT_MISSING');
/** Below the global prefix it is Nest's 404, outside of it the platform's. */
const NO_ROUTE = expect.stringMatching(/^\{"status":404,.*Cannot GET/);

@Controller()
class RootController {
  constructor(private readonly context: TenantContext) {}

  @Get()
  root(@CurrentTenant('slug') slug: string) {
    return { root: slug };
  }

  @Get('who')
  who(@CurrentTenant('slug') slug: string) {
    return { who: slug, context: this.context.tenant().slug };
  }

  @Get('hooks/:source/events')
  hook(@CurrentTenant('slug') slug: string) {
    return { hook: slug };
  }

  @Post('hooks/:source/events')
  received(@CurrentTenant('slug') slug: string) {
    return { received: slug };
  }

  @Get('health')
  @TenantFree()
  health() {
    return { status: 'ok', context: this.context.find() ?? null };
  }

  @Get('maybe')
  @TenantOptional()
  maybe() {
    return { maybe: this.context.find()?.slug ?? null };
  }
}

@Controller({ path: 'orders', version: '1' })
class OrdersV1Controller {
  @Get()
  list(@CurrentTenant('slug') slug: string) {
    return { v1: slug };
  }

  @Get('total')
  @Version(['2', '3'])
  total(@CurrentTenant('slug') slug: string) {
    return { total: slug };
  }
}

@Controller({ path: 'orders', version: '2' })
class OrdersV2Controller {
  @Get()
  list(@CurrentTenant('slug') slug: string) {
    return { v2: slug };
  }
}

@Controller({ path: 'status', version: VERSION_NEUTRAL })
class StatusController {
  @Get()
  status(@CurrentTenant('slug') slug: string) {
    return { status: slug };
  }
}

describe.each(ADAPTERS)('an application on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  afterEach(() => running.close());

  async function start(
    prepare: TestAppOptions['prepare'],
    controllers: Type[] = [RootController],
  ): Promise<TestApp> {
    const resolvers = [fromHeader('x-tenant-id'), fromSubdomain('example.com')];
    running = await startTestApp(
      {
        imports: [TenancyModule.forRoot(notesOptions(database, { resolvers }))],
        controllers,
      },
      { adapter: adapter(), prepare },
    );
    for (const slug of ['acme', 'globex']) {
      // The database outlives the applications of this file.
      await running.create({ slug }).catch((error: { code?: string }) => {
        if (error.code !== 'TENANT_SLUG_TAKEN') throw error;
      });
    }
    return running;
  }

  /** One that tells its headers, too. */
  const ask = (path: string, init: RequestInit = {}) => fetch(running.url + path, init);

  describe('with a global prefix', () => {
    const prefixed: TestAppOptions['prepare'] = (app) =>
      void app.setGlobalPrefix('api/v0', {
        exclude: ['health', 'who', { path: 'hooks/:source/events', method: RequestMethod.GET }],
      });

    it('knows the tenant under the prefix and at the prefix itself', async () => {
      const { get } = await start(prefixed);
      for (const slug of ['acme', 'globex']) {
        await expect(get('/api/v0', slug)).resolves.toEqual(ok({ root: slug }));
        await expect(get('/api/v0/maybe', slug)).resolves.toEqual(ok({ maybe: slug }));
      }
      await expect(get('/api/v0/maybe')).resolves.toEqual(ok({ maybe: null }));
      await expect(get('/api/v0', 'nobody')).resolves.toEqual(NOT_FOUND);
      await expect(get('/api/v0')).resolves.toEqual(MISSING);
    });

    it('knows it on routes that the prefix excludes, also those of one method', async () => {
      const { get } = await start(prefixed);
      for (const slug of ['acme', 'globex']) {
        await expect(get('/who', slug)).resolves.toEqual(ok({ who: slug, context: slug }));
        await expect(get('/hooks/bank/events', slug)).resolves.toEqual(ok({ hook: slug }));
        const posted = await ask('/api/v0/hooks/bank/events', {
          method: 'POST',
          headers: { 'x-tenant-id': slug },
        });
        await expect(posted.json()).resolves.toEqual({ received: slug });
      }
      for (const path of ['/who', '/hooks/bank/events']) {
        await expect(get(path, 'nobody')).resolves.toEqual(NOT_FOUND);
        await expect(get(path)).resolves.toEqual(MISSING);
      }
      await expect(get('/health', 'acme')).resolves.toEqual(ok({ status: 'ok', context: null }));
    });

    it('answers 404 where there is no route, whoever asks', async () => {
      const { get } = await start(prefixed);
      for (const path of ['/', '/maybe', '/api', '/api/v0/none']) {
        for (const slug of ['acme', undefined]) {
          expect(JSON.stringify(await get(path, slug))).toEqual(NO_ROUTE);
        }
      }
    });
  });

  describe('with versions in its URIs', () => {
    const versioned = [RootController, OrdersV1Controller, OrdersV2Controller, StatusController];

    it('knows the tenant in each version, in neutral and in several at once', async () => {
      const { get } = await start(
        (app) => void app.enableVersioning({ type: VersioningType.URI }),
        versioned,
      );
      for (const slug of ['acme', 'globex']) {
        await expect(get('/v1/orders', slug)).resolves.toEqual(ok({ v1: slug }));
        await expect(get('/v2/orders', slug)).resolves.toEqual(ok({ v2: slug }));
        await expect(get('/v3/orders/total', slug)).resolves.toEqual(ok({ total: slug }));
        await expect(get('/status', slug)).resolves.toEqual(ok({ status: slug }));
      }
      for (const path of ['/v1/orders', '/v2/orders', '/v3/orders/total', '/status']) {
        await expect(get(path, 'nobody')).resolves.toEqual(NOT_FOUND);
        await expect(get(path)).resolves.toEqual(MISSING);
      }
      expect(JSON.stringify(await get('/v9/orders', 'acme'))).toEqual(NO_ROUTE);
    });

    it.each(['1', ['1', '2'], VERSION_NEUTRAL] as const)(
      'knows it under a prefix of yours, too, with %p as the default version',
      async (defaultVersion) => {
        const { get } = await start((app) => {
          app.setGlobalPrefix('api', { exclude: ['health'] });
          app.enableVersioning({
            type: VersioningType.URI,
            prefix: 'version-',
            defaultVersion: defaultVersion as string,
          });
        }, versioned);
        const who = defaultVersion === VERSION_NEUTRAL ? '/api/who' : '/api/version-1/who';
        await expect(get(who, 'acme')).resolves.toEqual(ok({ who: 'acme', context: 'acme' }));
        await expect(get('/api/version-2/orders', 'acme')).resolves.toEqual(ok({ v2: 'acme' }));
        await expect(get('/api/status', 'acme')).resolves.toEqual(ok({ status: 'acme' }));
        await expect(get(who, 'nobody')).resolves.toEqual(NOT_FOUND);
      },
    );
  });

  describe('with CORS', () => {
    const ORIGIN = 'https://shop.example';
    const cors: TestAppOptions['prepare'] = (app) =>
      app.enableCors({ origin: ORIGIN, allowedHeaders: ['x-tenant-id'], credentials: true });
    const preflight = (path: string, headers: Record<string, string> = {}) =>
      ask(path, {
        method: 'OPTIONS',
        headers: {
          origin: ORIGIN,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'x-tenant-id',
          ...headers,
        },
      });

    it('answers a preflight without a tenant, as browsers ask', async () => {
      await start(cors);
      for (const path of ['/', '/who', '/health', '/hooks/bank/events']) {
        const { status, headers } = await preflight(path);
        expect([status, headers.get('access-control-allow-origin')]).toEqual([204, ORIGIN]);
        expect(headers.get('access-control-allow-headers')).toBe('x-tenant-id');
      }
    });

    it('answers it alike for tenants and for nobody', async () => {
      await start(cors);
      const answers = ['acme', 'nobody'].map(async (slug) => {
        const { status, headers } = await preflight('/who', { 'x-tenant-id': slug });
        return [status, [...headers].filter(([name]) => name !== 'date')];
      });
      const [acme, nobody] = await Promise.all(answers);
      expect(nobody).toEqual(acme);
    });

    it('lets a page read answers and refusals of ours', async () => {
      await start(cors);
      for (const [headers, status] of [
        [{ 'x-tenant-id': 'acme' }, 200],
        [{ 'x-tenant-id': 'nobody' }, 404],
        [{}, 400],
      ] as const) {
        const response = await ask('/who', {
          headers: { origin: ORIGIN, ...headers } as Record<string, string>,
        });
        expect(response.status).toBe(status);
        expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      }
    });
  });

  it('with helmet puts its headers on answers and on refusals of ours', async () => {
    await start((app) => void app.use(helmet()));
    for (const [slug, status] of [
      ['acme', 200],
      ['nobody', 404],
    ] as const) {
      const response = await ask('/who', { headers: { 'x-tenant-id': slug } });
      expect(response.status).toBe(status);
      expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });
});
