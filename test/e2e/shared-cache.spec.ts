import { once } from 'node:events';
import { createServer, IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { CACHE_MANAGER, CacheInterceptor, CacheKey, CacheModule } from '@nestjs/cache-manager';
import {
  Controller,
  type ExecutionContext,
  Get,
  Inject,
  Injectable,
  type INestApplication,
  type ModuleMetadata,
  type NestInterceptor,
  Post,
  Req,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  credentialResolver,
  CurrentTenant,
  fromCookie,
  fromDomain,
  fromHeader,
  fromPath,
  fromQuery,
  fromSubdomain,
  TenancyModule,
  type TenancyOptions,
  TenantContext,
  TenantFree,
  type TenantResolver,
} from '../../lib';
import { fromApiKey, TenancyAccessModule } from '../../lib/access';
import { fromJwtClaim } from '../../lib/jwt';
import { VaryHeader } from '../../lib/resolution/http/tenant.middleware';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

@Controller('price-list')
class PricesController {
  @Get()
  list(@CurrentTenant('slug') slug: string) {
    return { slug };
  }
}

@Controller('health')
@TenantFree()
class HealthController {
  @Get()
  health() {
    return {};
  }
}

/** One that says whose an answer is. */
@Injectable()
class TenantCacheInterceptor extends CacheInterceptor {
  @Inject(TenantContext)
  private readonly context!: TenantContext;

  protected override trackBy(context: ExecutionContext) {
    const key = super.trackBy(context);
    return typeof key === 'string' ? `${this.context.tenant().id} ${key}` : undefined;
  }
}

/** One that only looks like another. */
@Injectable()
class RenamedCacheInterceptor extends CacheInterceptor {}

@Controller('cached')
@UseInterceptors(CacheInterceptor)
class CachedController extends PricesController {}

@Controller('cached')
class CachedRoutesController {
  @Get('own')
  @UseInterceptors(TenantCacheInterceptor)
  own() {
    return {};
  }

  @Get('cached')
  @UseInterceptors(RenamedCacheInterceptor)
  cached() {
    return {};
  }

  @Get('free')
  @TenantFree()
  @UseInterceptors(CacheInterceptor)
  free() {
    return {};
  }
}

@Controller('free')
@UseInterceptors(CacheInterceptor)
@TenantFree()
class FreeController {
  @Get()
  free() {
    return {};
  }
}

@WebSocketGateway()
class CachedGateway {
  @SubscribeMessage('prices')
  @UseInterceptors(CacheInterceptor)
  @CacheKey('prices')
  prices() {
    return {};
  }
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

function start(
  { imports = [], ...metadata }: ModuleMetadata,
  options: Partial<TenancyOptions> = {},
  rest: Parameters<typeof startTestApp>[1] = {},
): Promise<TestApp> {
  const tenancy = TenancyModule.forRoot(notesOptions(database, options));
  return startTestApp({ imports: [tenancy, CacheModule.register(), ...imports], ...metadata }, rest);
}

describe('CacheInterceptor, which keeps answers by their URL,', () => {
  const refusal = (...handlers: string[]) => expect.objectContaining({ code: 'SHARED_CACHE', handlers });

  it.each<[string, ModuleMetadata, string[]]>([
    ['a controller', { controllers: [CachedController] }, ['CachedController.list()']],
    ['a route', { controllers: [CachedRoutesController] }, ['CachedRoutesController.cached()']],
    ["a gateway's handler", { providers: [CachedGateway] }, ['CachedGateway.prices()']],
    [
      'the whole application',
      {
        controllers: [PricesController, HealthController],
        providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
      },
      ['PricesController.list()'],
    ],
  ])('fails the start before tenants’ handlers: on %s', async (_where, metadata, handlers) => {
    await expect(start(metadata)).rejects.toEqual(refusal(...handlers));
  });

  it('fails the start when it is given to app.useGlobalInterceptors()', async () => {
    const prepare = (app: INestApplication) =>
      app.useGlobalInterceptors(new CacheInterceptor(app.get(CACHE_MANAGER), app.get(Reflector)));
    await expect(start({ controllers: [PricesController] }, {}, { prepare })).rejects.toEqual(
      refusal('PricesController.list()'),
    );
  });

  it('fails the start when a bundler has given it another name', async () => {
    const { name } = CacheInterceptor;
    Object.defineProperty(CacheInterceptor, 'name', { value: 'a' });
    try {
      await expect(start({ controllers: [CachedController] })).rejects.toEqual(
        refusal('CachedController.list()'),
      );
    } finally {
      Object.defineProperty(CacheInterceptor, 'name', { value: name });
    }
  });

  it('may be extended by one that overrides all that it has', async () => {
    @Injectable()
    class OwnCacheInterceptor extends TenantCacheInterceptor {
      protected override trackBy(context: ExecutionContext) {
        return super.trackBy(context);
      }
      protected override isRequestCacheable(context: ExecutionContext) {
        return super.isRequestCacheable(context);
      }
    }
    const own = { provide: APP_INTERCEPTOR, useClass: OwnCacheInterceptor };
    await (await start({ controllers: [PricesController], providers: [own] })).close();
  });

  it('may stand before what belongs to no tenant', async () => {
    const app = await start({ controllers: [FreeController, HealthController, PricesController] });
    await expect(app.get('/free')).resolves.toMatchObject({ status: 200 });
    await app.close();
  });

  it('may be extended by one with keys of its own', async () => {
    const own = { provide: APP_INTERCEPTOR, useClass: TenantCacheInterceptor };
    const app = await start({ controllers: [PricesController], providers: [own] });
    for (const slug of ['acme', 'globex']) await app.create({ slug });
    for (const slug of ['acme', 'globex', 'acme', 'globex'])
      await expect(app.get('/price-list', slug)).resolves.toEqual({ status: 200, body: { slug } });
    await app.close();
  });

  it('is no other class that has its name', async () => {
    const named = {
      CacheInterceptor: class implements NestInterceptor {
        trackBy() {}
        intercept(_context: ExecutionContext, next: Parameters<NestInterceptor['intercept']>[1]) {
          return next.handle();
        }
      },
    };
    const provider = { provide: APP_INTERCEPTOR, useClass: named.CacheInterceptor };
    await (await start({ controllers: [PricesController], providers: [provider] })).close();
  });
});

interface AnyResponse {
  header(name: string, value: string): unknown;
}

@Controller('varied')
class VariedController {
  @Get()
  varied(@Res({ passthrough: true }) response: AnyResponse) {
    response.header('Vary', 'Accept-Encoding, HOST');
    return {};
  }

  @Get('star')
  star(@Res({ passthrough: true }) response: AnyResponse) {
    response.header('Vary', '*');
    return {};
  }

  @Post('failing')
  failing(@Req() _request: unknown) {
    throw new Error('failed');
  }
}

describe.each(ADAPTERS)('Vary on %s', (_platform, adapter) => {
  const apps: TestApp[] = [];
  afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())));

  async function varying(
    resolvers: readonly TenantResolver[],
    options: Partial<TenancyOptions> = {},
    metadata: ModuleMetadata = {},
  ): Promise<(path: string, headers?: Record<string, string>) => Promise<string | null>> {
    const app = await start(
      { controllers: [PricesController, HealthController, VariedController], ...metadata },
      { resolvers, ...options },
      { adapter: adapter() },
    );
    apps.push(app);
    return async (path, headers = {}) => {
      const response = await fetch(app.url + path, {
        headers,
        method: path.includes('failing') ? 'POST' : 'GET',
      });
      return response.headers.get('vary');
    };
  }

  it.each<[string, () => TenantResolver[], string | null]>([
    ['a header', () => [fromHeader('X-Tenant-ID')], 'X-Tenant-ID'],
    ['a subdomain', () => [fromSubdomain('example.com')], 'Host, X-Forwarded-Host'],
    ['a domain', () => [fromDomain()], 'Host, X-Forwarded-Host'],
    ['a cookie', () => [fromCookie('tenant')], 'Cookie'],
    ['a token', () => [fromJwtClaim({ claim: 'tenant', secret: 'x'.repeat(32) })], 'authorization'],
    ['the URL', () => [fromPath(), fromQuery('tenant')], null],
    [
      'several of them',
      () => [fromSubdomain('example.com'), fromHeader('x-tenant-id'), fromDomain(), fromQuery('tenant')],
      'Host, X-Forwarded-Host, x-tenant-id',
    ],
    ['a resolver that does not say what it reads', () => [fromPath(), () => undefined], '*'],
    [
      'one that does',
      () => [
        Object.assign(() => undefined, { vary: ['X-Org'] }),
        credentialResolver(() => undefined, { vary: ['X-Key'] }),
      ],
      'X-Org, X-Key',
    ],
  ])('names what decides on the tenant: %s', async (_what, resolvers, vary) => {
    const ask = await varying(resolvers(), { fallbackTenant: 'acme' });
    await expect(ask('/price-list')).resolves.toBe(vary);
  });

  it('names the header of keys', async () => {
    const ask = await varying([fromApiKey()], {}, { imports: [TenancyAccessModule.forRoot()] });
    await expect(ask('/price-list')).resolves.toBe('x-api-key');
  });

  it('is on refusals and failures, too, and adds to what a route says', async () => {
    const ask = await varying([fromHeader('x-tenant-id'), fromSubdomain('example.com')]);
    const names = 'x-tenant-id, Host, X-Forwarded-Host';
    await expect(ask('/price-list')).resolves.toBe(names);
    await expect(ask('/price-list', { 'x-tenant-id': 'nobody' })).resolves.toBe(names);
    await expect(ask('/varied/failing', { 'x-tenant-id': 'acme' })).resolves.toBe(names);
    await expect(ask('/varied', { 'x-tenant-id': 'acme' })).resolves.toBe(
      'Accept-Encoding, Host, x-tenant-id, X-Forwarded-Host',
    );
    await expect(ask('/varied/star', { 'x-tenant-id': 'acme' })).resolves.toBe('*');
  });

  it.each<[string, unknown]>([
    ['a list', ['Set-Cookie', 'a=1', 'vary', 'Accept', 'Set-Cookie', 'b=2']],
    ['a list without it', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']],
    [
      'a list of pairs',
      [
        ['Set-Cookie', 'a=1'],
        ['Vary', 'Accept'],
        ['Set-Cookie', 'b=2'],
      ],
    ],
    ['a list with several values', ['Set-Cookie', ['a=1', 'b=2'], 'Vary', ['Accept']]],
    ['an object', { 'Set-Cookie': ['a=1', 'b=2'], vary: 'Accept' }],
  ])('loses no header of those that are given to writeHead() as %s', async (_form, headers) => {
    const server = createServer((_request, response) => {
      new VaryHeader('x-tenant-id', () => ({})).addTo(response);
      response.writeHead(200, headers as OutgoingHttpHeaders).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}`);
    server.close();
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const isGiven = JSON.stringify(headers).includes('Accept');
    expect(answer.headers.get('vary')).toBe(isGiven ? 'Accept, x-tenant-id' : 'x-tenant-id');
  });

  it('leaves an object to a writeHead() that was there before, which may know no lists', () => {
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    const before = jest.fn<ServerResponse, unknown[]>(() => response);
    response.writeHead = before;
    new VaryHeader('x-tenant-id', () => ({})).addTo(response);
    response.writeHead(200, { vary: 'Accept', 'Content-Type': 'text/plain' });
    expect(before).toHaveBeenCalledWith(200, { 'Content-Type': 'text/plain', Vary: 'Accept, x-tenant-id' });
  });

  it('is not on what belongs to no tenant, nor without the option', async () => {
    const ask = await varying([fromHeader('x-tenant-id')]);
    await expect(ask('/health', { 'x-tenant-id': 'acme' })).resolves.toBeNull();
    const silent = await varying([fromHeader('x-tenant-id')], { vary: false });
    await expect(silent('/price-list', { 'x-tenant-id': 'acme' })).resolves.toBeNull();
  });
});
