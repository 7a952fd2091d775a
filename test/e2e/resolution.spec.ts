import { Agent, request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  Body,
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Post,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
  type INestApplication,
  type LoggerService,
  type MiddlewareConsumer,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, DiscoveryModule, HttpAdapterHost, type AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TenancyUnavailableError } from '../../lib/common/tenancy.errors';
import { TenantContext } from '../../lib/context/tenant-context';
import { CurrentTenant } from '../../lib/resolution/http/current-tenant.decorator';
import { CURRENT_TENANT, currentTenantProvider } from '../../lib/resolution/http/current-tenant.provider';
import { fromDomain } from '../../lib/resolution/resolvers/from-domain';
import { fromHeader } from '../../lib/resolution/resolvers/from-header';
import { fromSubdomain } from '../../lib/resolution/resolvers/from-subdomain';
import { REGISTRY_OPTIONS } from '../../lib/registry/registry.options';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from '../../lib/resolution/resolution.options';
import { GraphqlErrors } from '../../lib/resolution/http/graphql-errors';
import { TenancyExceptionFilter } from '../../lib/resolution/http/tenancy-exception.filter';
import { RegistryLookups } from '../../lib/registry/cache/registry-lookup';
import { TenantLookup } from '../../lib/registry/cache/tenant-lookup';
import { TenantResolution } from '../../lib/resolution/tenant-resolution';
import type { TenantRequest } from '../../lib/resolution/resolvers/tenant-resolver';
import { TenantOptional, TenantFree } from '../../lib/resolution/http/tenant-route.decorator';
import { TenantGuard } from '../../lib/resolution/http/tenant.guard';
import { TenantMiddleware } from '../../lib/resolution/http/tenant.middleware';
import { InMemoryTenantStore } from '../../lib/registry/store/in-memory-tenant.store';
import type { Tenant, TenantClaim, TenantStatus } from '../../lib/registry/tenant';
import { TenantStore, type NewTenant } from '../../lib/registry/store/tenant.store';

const TENANTS = [
  tenant(1, 'acme', 'active', ['shop.acme.com']),
  tenant(2, 'globex', 'active'),
  tenant(3, 'initech', 'active'),
  tenant(4, 'hooli', 'suspended', ['hooli.com']),
];
const [ACME] = TENANTS;

function tenant(n: number, slug: string, status: TenantStatus, domains: string[] = []): NewTenant {
  return {
    id: `01890a5d-ac96-774b-bcce-b302099a805${n}`,
    slug,
    name: slug,
    schemaName: `t_${slug}`,
    status,
    domains,
    metadata: {},
    templateVersion: null,
    schemaVersion: null,
  };
}

class FragileStore extends InMemoryTenantStore {
  down = false;

  override async find(claim: TenantClaim): Promise<Tenant | undefined> {
    // As of Node, where none of a host's addresses answers.
    const cause = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    if (this.down) throw new TenancyUnavailableError('The registry', { cause });
    return super.find(claim);
  }
}

@Injectable()
class Injected {
  constructor(@Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined) {}
}

class HandlerError extends Error {}

/** Answers with the tenant that the filter itself runs for. */
@Catch(HandlerError)
class HandlerErrorFilter implements ExceptionFilter {
  constructor(
    private readonly context: TenantContext,
    private readonly host: HttpAdapterHost,
  ) {}

  catch(_error: HandlerError, host: ArgumentsHost) {
    const body = { filter: this.context.find()?.slug };
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), body, 418);
  }
}

@Controller()
class ProbeController {
  constructor(private readonly context: TenantContext) {}

  @Get('tenant')
  tenant(@CurrentTenant() tenant: Tenant, @CurrentTenant('slug') slug: string) {
    return { id: tenant.id, slug, context: this.context.tenant().slug };
  }

  /** Gives the floor to other requests several times before it says whom it ran for. */
  @Post('work')
  async work(@Body() { turns }: { turns: number }, @CurrentTenant('slug') slug: string) {
    const seen = [slug];
    for (let i = 0; i < turns; i += 1) {
      await nextTurn();
      seen.push(this.context.tenant().slug);
    }
    return seen;
  }

  @TenantOptional()
  @Get('optional')
  optional(@CurrentTenant() tenant: Tenant | undefined) {
    return { tenant: tenant?.slug ?? null, context: this.context.find()?.slug ?? null };
  }

  @TenantFree()
  @Get('free')
  free(@CurrentTenant() tenant: Tenant | undefined) {
    return { tenant: tenant?.slug ?? null, context: this.context.find()?.slug ?? null };
  }

  @UseFilters(HandlerErrorFilter)
  @Get('fails')
  fails() {
    throw new HandlerError();
  }
}

@TenantFree()
@Controller('public')
class PublicController {
  constructor(private readonly context: TenantContext) {}

  @Get('free')
  free() {
    return { context: this.context.find()?.slug ?? null };
  }

  @TenantOptional()
  @Get('optional')
  optional() {
    return { context: this.context.find()?.slug ?? null };
  }
}

@Controller('injected')
class InjectedController {
  constructor(private readonly injected: Injected) {}

  @TenantOptional()
  @Get()
  tenant() {
    return { tenant: this.injected.tenant?.slug ?? null };
  }

  @Get('required')
  required() {
    return { tenant: this.injected.tenant?.slug ?? null };
  }
}

/** `?tenant=` as an application might read it, with what can go wrong there. */
async function fromQuery({ url }: TenantRequest): Promise<TenantClaim | undefined> {
  await nextTurn();
  const value = new URL(url, 'http://localhost').searchParams.get('tenant');
  switch (value) {
    case null:
      return undefined;
    case 'throws':
      throw new Error('the resolver broke');
    case 'throws-nothing':
      throw undefined; // eslint-disable-line @typescript-eslint/only-throw-error
    case 'null':
      return null as unknown as undefined;
    case 'string':
      return 'acme' as unknown as TenantClaim;
    case 'number':
      return { by: 'slug', value: 1 } as unknown as TenantClaim;
    case 'inherited':
      return { by: 'constructor', value: 'acme' } as unknown as TenantClaim;
    default:
      return { by: 'slug', value };
  }
}

class ErrorLog implements LoggerService {
  readonly errors: string[] = [];
  log() {}
  warn() {}
  error(message: unknown) {
    this.errors.push(String(message));
  }
}

interface Setup extends Partial<ResolutionOptions> {
  adapter: AbstractHttpAdapter;
  /** Leaves the middleware out, as a mistake would. */
  withoutMiddleware?: boolean;
  prefix?: string;
}

class TestApp {
  private constructor(
    readonly app: INestApplication,
    readonly store: FragileStore,
    readonly log: ErrorLog,
  ) {}

  static async start({ adapter, withoutMiddleware, prefix, ...options }: Setup): Promise<TestApp> {
    const resolution: ResolutionOptions = {
      resolvers: [fromHeader('x-tenant-id'), fromSubdomain('example.com'), fromDomain(), fromQuery],
      ...options,
    };
    const store = new FragileStore();
    for (const each of TENANTS) await store.insert(each);
    const log = new ErrorLog();
    const testing = await Test.createTestingModule({
      imports: [resolutionModule(resolution, store, withoutMiddleware)],
    }).compile();
    const app = testing.createNestApplication(adapter, { logger: log });
    app.enableCors();
    if (prefix) app.setGlobalPrefix(prefix);
    await app.listen(0, '127.0.0.1');
    return new TestApp(app, store, log);
  }

  get port(): number {
    return (this.app.getHttpServer().address() as AddressInfo).port;
  }

  send(path: string, options: Parameters<typeof send>[2] = {}) {
    return send(this.port, path, options);
  }

  /** The answer to bytes that no HTTP client would send. `head` are header lines; `Host` is one of them. */
  raw(head: string, requestLine = 'GET /tenant HTTP/1.1') {
    return sendRaw(this.port, `${requestLine}\r\n${head}Connection: close\r\n\r\n`);
  }

  close() {
    return this.app.close();
  }
}

function resolutionModule(options: ResolutionOptions, store: TenantStore, withoutMiddleware = false): Type {
  @Module({
    imports: [DiscoveryModule],
    controllers: [ProbeController, PublicController, InjectedController],
    providers: [
      TenantContext,
      RegistryLookups,
      TenantLookup,
      TenantResolution,
      TenancyExceptionFilter,
      GraphqlErrors,
      Injected,
      currentTenantProvider,
      { provide: TenantStore, useValue: store },
      { provide: RESOLUTION_OPTIONS, useValue: options },
      { provide: REGISTRY_OPTIONS, useValue: {} },
      { provide: APP_GUARD, useClass: TenantGuard },
    ],
  })
  class ResolutionModule implements NestModule {
    configure(consumer: MiddlewareConsumer) {
      if (!withoutMiddleware) consumer.apply(TenantMiddleware).forRoutes('{*splat}');
    }
  }
  return ResolutionModule;
}

interface Answer {
  status: number;
  body: unknown;
}

function send(
  port: number,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
    agent,
  }: { method?: string; headers?: OutgoingHttpHeaders; body?: string; agent?: Agent } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(answer(response.statusCode ?? 0, Buffer.concat(chunks).toString())));
    });
    request.on('error', reject).end(body);
  });
}

function sendRaw(port: number, bytes: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      const [head, body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n', 2);
      resolve(answer(Number(head.split(' ')[1]), body));
    });
  });
}

function answer(status: number, text: string): Answer {
  try {
    return { status, body: JSON.parse(text) };
  } catch {
    return { status, body: text };
  }
}

const refusal = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});
const NOT_FOUND = refusal(404, 'TENANT_NOT_FOUND');
const MISSING = refusal(400, 'TENANT_MISSING');
const NOT_ACTIVE = refusal(403, 'TENANT_NOT_ACTIVE');
const REQUIRED = refusal(500, 'TENANT_REQUIRED');
const servedAs = (slug: string) => ({ status: 200, body: expect.objectContaining({ slug, context: slug }) });
const as = (value: string) => ({ headers: { 'x-tenant-id': value } });

describe.each<[string, (trustProxy?: boolean | string) => AbstractHttpAdapter]>([
  [
    'Express',
    (trustProxy) => {
      const adapter = new ExpressAdapter();
      if (trustProxy !== undefined) adapter.set('trust proxy', trustProxy);
      return adapter;
    },
  ],
  ['Fastify', (trustProxy) => new FastifyAdapter(trustProxy === undefined ? {} : { trustProxy })],
])('resolution on %s', (_platform, createAdapter) => {
  const open: TestApp[] = [];
  let app: TestApp;

  async function start(setup: Omit<Setup, 'adapter'> & { trustProxy?: boolean | string } = {}) {
    const { trustProxy, ...rest } = setup;
    const started = await TestApp.start({ ...rest, adapter: createAdapter(trustProxy) });
    open.push(started);
    return started;
  }

  beforeAll(async () => {
    app = await start();
  });

  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  describe('a claim', () => {
    it('names the tenant by slug, by id, by subdomain, by domain or by a function of yours', async () => {
      await expect(app.send('/tenant', as('globex'))).resolves.toEqual(servedAs('globex'));
      await expect(app.send('/tenant', as(ACME.id))).resolves.toEqual(servedAs('acme'));
      for (const [host, slug] of [
        ['globex.example.com', 'globex'],
        ['shop.acme.com', 'acme'],
      ]) {
        await expect(app.send('/tenant', { headers: { host } })).resolves.toEqual(servedAs(slug));
      }
      await expect(app.send('/tenant?tenant=initech')).resolves.toEqual(servedAs('initech'));
    });

    it('decides when it is the first', async () => {
      const headers = { 'x-tenant-id': 'acme', host: 'globex.example.com' };
      await expect(app.send('/tenant?tenant=initech', { headers })).resolves.toEqual(servedAs('acme'));
    });

    it('that names nobody never falls through to the next resolver', async () => {
      const headers = { 'x-tenant-id': 'acmee', host: 'globex.example.com' };
      await expect(app.send('/tenant?tenant=initech', { headers })).resolves.toEqual(NOT_FOUND);
    });

    it('is missing: 400', async () => {
      await expect(app.send('/tenant')).resolves.toEqual(MISSING);
    });

    it('names a suspended tenant: 403 that says so', async () => {
      const { status, body } = await app.send('/tenant', as('hooli'));
      expect({ status, body }).toEqual(NOT_ACTIVE);
      expect(body).toMatchObject({ message: expect.stringContaining('suspended') });
    });

    it('by the domain of a suspended tenant does not fall through either', async () => {
      const headers = { host: 'hooli.com' };
      await expect(app.send('/tenant?tenant=acme', { headers })).resolves.toEqual(NOT_ACTIVE);
    });

    it('is not made by a host that is registered for nobody', async () => {
      const headers = { host: 'shop.globex.com' };
      await expect(app.send('/tenant?tenant=acme', { headers })).resolves.toEqual(servedAs('acme'));
      await expect(app.send('/tenant', { headers })).resolves.toEqual(MISSING);
    });
  });

  describe('a resolver of yours', () => {
    it('that throws fails the request, which is not served for another tenant', async () => {
      for (const mistake of ['throws', 'throws-nothing']) {
        const { status } = await app.send(`/tenant?tenant=${mistake}`);
        expect(status).toBe(500);
      }
    });

    it.each(['null', 'string', 'number', 'inherited'])(
      'that gives no claim (%s) is named by its index, in the log too',
      async (garbage) => {
        app.log.errors.length = 0;
        await expect(app.send(`/tenant?tenant=${garbage}`)).resolves.toEqual(
          refusal(500, 'TENANT_CLAIM_INVALID'),
        );
        expect(app.log.errors).toEqual([expect.stringContaining('resolver at index 3')]);
      },
    );
  });

  describe('a route', () => {
    it('marked @TenantOptional() works with a tenant and without', async () => {
      await expect(app.send('/optional', as('acme'))).resolves.toEqual({
        status: 200,
        body: { tenant: 'acme', context: 'acme' },
      });
      await expect(app.send('/optional')).resolves.toEqual({
        status: 200,
        body: { tenant: null, context: null },
      });
    });

    it('marked @TenantOptional() still refuses a claim that names nobody, or a tenant that is not active', async () => {
      await expect(app.send('/optional', as('nobody'))).resolves.toEqual(NOT_FOUND);
      await expect(app.send('/optional', as('hooli'))).resolves.toEqual(NOT_ACTIVE);
    });

    it.each(['acme', 'nobody', 'hooli', undefined])(
      'marked @TenantFree() runs for nobody, claim or not: %s',
      async (value) => {
        await expect(app.send('/free', value ? as(value) : {})).resolves.toEqual({
          status: 200,
          body: { tenant: null, context: null },
        });
      },
    );

    it('overrides what its controller says', async () => {
      await expect(app.send('/public/free', as('acme'))).resolves.toEqual({
        status: 200,
        body: { context: null },
      });
      await expect(app.send('/public/optional', as('acme'))).resolves.toEqual({
        status: 200,
        body: { context: 'acme' },
      });
    });

    it('runs its exception filters for the tenant', async () => {
      await expect(app.send('/fails', as('acme'))).resolves.toEqual({
        status: 418,
        body: { filter: 'acme' },
      });
    });

    it('is given CURRENT_TENANT by injection, undefined when there is none', async () => {
      await expect(app.send('/injected', as('acme'))).resolves.toEqual({
        status: 200,
        body: { tenant: 'acme' },
      });
      await expect(app.send('/injected')).resolves.toEqual({ status: 200, body: { tenant: null } });
      await expect(app.send('/injected/required')).resolves.toEqual(MISSING);
      await expect(app.send('/injected/required', as('nobody'))).resolves.toEqual(NOT_FOUND);
    });
  });

  describe('without a claim and with a fallbackTenant', () => {
    it('the fallback serves; a claim that names nobody is still refused', async () => {
      const withFallback = await start({ fallbackTenant: 'globex' });
      await expect(withFallback.send('/tenant')).resolves.toEqual(servedAs('globex'));
      await expect(withFallback.send('/tenant', as('acme'))).resolves.toEqual(servedAs('acme'));
      await expect(withFallback.send('/tenant', as('nobody'))).resolves.toEqual(NOT_FOUND);
    });

    it.each([
      ['nobody', NOT_FOUND],
      ['hooli', NOT_ACTIVE],
    ])('a fallback that cannot serve is refused: %s', async (fallbackTenant, refused) => {
      const withFallback = await start({ fallbackTenant });
      await expect(withFallback.send('/tenant')).resolves.toEqual(refused);
    });
  });

  describe('the tenant header', () => {
    it.each([
      ['with white space around it', 'X-Tenant-ID:  \t acme \t\r\n', servedAs('acme')],
      ['with an id in upper case', `X-Tenant-ID: ${ACME.id.toUpperCase()}\r\n`, servedAs('acme')],
      ['with its name in any case', 'x-TENANT-id: acme\r\n', servedAs('acme')],
      ['empty', 'X-Tenant-ID:\r\n', NOT_FOUND],
      ['empty but for white space', 'X-Tenant-ID:   \r\n', NOT_FOUND],
      ['repeated', 'X-Tenant-ID: acme\r\nX-Tenant-ID: globex\r\n', NOT_FOUND],
      ['repeated with one value', 'X-Tenant-ID: acme\r\nX-Tenant-ID: acme\r\n', NOT_FOUND],
      ['repeated, once empty', 'X-Tenant-ID: acme\r\nX-Tenant-ID:\r\n', NOT_FOUND],
      ['of 10 kB', `X-Tenant-ID: ${'a'.repeat(10_000)}\r\n`, NOT_FOUND],
      ['in upper case', 'X-Tenant-ID: ACME\r\n', NOT_FOUND],
      ['with quotes', `X-Tenant-ID: "acme"'; --\r\n`, NOT_FOUND],
      ['with look-alikes', 'X-Tenant-ID: аcme\r\n', NOT_FOUND],
      ['in punycode', 'X-Tenant-ID: xn--cme-8cd\r\n', NOT_FOUND],
      ['with an unknown id', 'X-Tenant-ID: 01890a5d-ac96-774b-bcce-b302099a8099\r\n', NOT_FOUND],
      ['that is a domain', 'X-Tenant-ID: shop.acme.com\r\n', NOT_FOUND],
      ['that is a schema', 'X-Tenant-ID: t_acme\r\n', NOT_FOUND],
      ['that inherits', 'X-Tenant-ID: __proto__\r\n', NOT_FOUND],
    ])('%s', async (_case, header, expected) => {
      await expect(app.raw(`Host: localhost\r\n${header}`)).resolves.toEqual(expected);
    });

    it.each([
      ['a NUL', 'X-Tenant-ID: ac\0me\r\n'],
      ['a bare line feed', 'X-Tenant-ID: ac\nme\r\n'],
      ['20 kB', `X-Tenant-ID: ${'a'.repeat(20_000)}\r\n`],
    ])('with %s is refused by Node itself, and the next request is served', async (_case, header) => {
      const { status } = await app.raw(`Host: localhost\r\n${header}`);
      expect([400, 431]).toContain(status);
      await expect(app.send('/tenant', as('acme'))).resolves.toEqual(servedAs('acme'));
    });
  });

  describe('the host', () => {
    it.each([
      ['with a port', 'acme.example.com:8080', servedAs('acme')],
      ['in upper case', 'ACME.Example.COM', servedAs('acme')],
      ['with a trailing dot', 'acme.example.com.', servedAs('acme')],
      ['with a trailing dot and a port', 'acme.example.com.:80', servedAs('acme')],
      ['that is a domain in upper case, with dot and port', 'SHOP.Acme.com.:80', servedAs('acme')],
      ['that is the parent', 'example.com', MISSING],
      ['that is reserved', 'www.example.com', MISSING],
      ['deeper than a subdomain', 'a.acme.example.com', MISSING],
      ['with two trailing dots', 'acme.example.com..', MISSING],
      ['empty', '', MISSING],
      ['that is an IPv4 address', '127.0.0.1:3000', MISSING],
      ['that is an IPv6 address', '[::1]:3000', MISSING],
      ['with an open bracket', '[::1', MISSING],
      ['with a user', 'globex@acme.example.com', MISSING],
      ['with a path', 'evil.org/acme.example.com', MISSING],
      ['with a comma', 'evil.org, acme.example.com', MISSING],
      ['with an empty label', '.example.com', NOT_FOUND],
      ['with an unknown subdomain', 'nobody.example.com', NOT_FOUND],
      ['with quotes', `"o'neil".example.com`, NOT_FOUND],
      ['in punycode', 'xn--cme-8cd.example.com', NOT_FOUND],
      ['in unicode', 'аcme.example.com', NOT_FOUND],
      ['with a subdomain of 10 kB', `${'a'.repeat(10_000)}.example.com`, NOT_FOUND],
      ['of 10 kB', 'a'.repeat(10_000), MISSING],
      ['of 5,000 labels', 'a.'.repeat(5_000), MISSING],
    ])('%s', async (_case, host, expected) => {
      await expect(app.raw(`Host: ${host}\r\n`)).resolves.toEqual(expected);
    });

    it('sent twice is no host: a proxy may have read the other one', async () => {
      const head = 'Host: acme.example.com\r\nHost: globex.example.com\r\n';
      const { status, body } = await app.raw(head);
      expect(status).toBe(400);
      expect(JSON.stringify(body)).not.toContain('acme');
    });

    it('absent, as HTTP/1.0 allows, makes no claim', async () => {
      await expect(app.raw('', 'GET /tenant HTTP/1.0')).resolves.toEqual(MISSING);
    });

    it('with a NUL is refused by Node itself, and the next request is served', async () => {
      await expect(app.raw('Host: ac\0me.example.com\r\n')).resolves.toMatchObject({ status: 400 });
      await expect(app.send('/tenant', as('acme'))).resolves.toEqual(servedAs('acme'));
    });

    const forwarded = { headers: { host: 'globex.example.com', 'x-forwarded-host': 'ACME.example.com:443' } };

    it('is not what X-Forwarded-Host says', async () => {
      await expect(app.send('/tenant', forwarded)).resolves.toEqual(servedAs('globex'));
    });

    it('is what X-Forwarded-Host says when the application trusts the proxy that sent it', async () => {
      const trusting = await start({ trustProxy: 'loopback' });
      await expect(trusting.send('/tenant', forwarded)).resolves.toEqual(servedAs('acme'));
      const trustingAnother = await start({ trustProxy: '10.1.2.3' });
      await expect(trustingAnother.send('/tenant', forwarded)).resolves.toEqual(servedAs('globex'));
    });
  });

  it('keeps 1,500 interleaved keep-alive requests of three tenants apart', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 30 });
    const slugs = ['acme', 'globex', 'initech'];
    const wrong: unknown[] = [];
    await Promise.all(
      Array.from({ length: 1_500 }, async (_, i) => {
        const slug = slugs[i % 3];
        // The first of each dozen waits longest, so that who starts first does not end first.
        const turns = 12 - (i % 12);
        const { body } = await app.send('/work', {
          method: 'POST',
          headers: { 'x-tenant-id': slug, 'content-type': 'application/json' },
          body: JSON.stringify({ turns, padding: 'x'.repeat(i) }),
          agent,
        });
        const right = Array<string>(turns + 1).fill(slug);
        if (JSON.stringify(body) !== JSON.stringify(right)) wrong.push({ i, slug, body });
      }),
    );
    agent.destroy();
    expect(wrong).toEqual([]);
  });

  it('answers 503, not 404, while the store is down; routes without a tenant work; then all is well again', async () => {
    const fragile = await start();
    fragile.store.down = true;
    await expect(fragile.send('/tenant', as('acme'))).resolves.toEqual(refusal(503, 'TENANCY_UNAVAILABLE'));
    await expect(fragile.send('/free', as('acme'))).resolves.toMatchObject({ status: 200 });
    fragile.store.down = false;
    expect(fragile.log.errors).toEqual([expect.stringMatching(/Try again shortly\. ECONNREFUSED$/)]);
    await expect(fragile.send('/tenant', as('acme'))).resolves.toEqual(servedAs('acme'));
  });

  describe('what never reaches the middleware', () => {
    it('CORS preflight is answered without a tenant', async () => {
      const headers = { origin: 'https://shop.example', 'access-control-request-method': 'GET' };
      const { status } = await app.send('/tenant', { method: 'OPTIONS', headers });
      expect(status).toBe(204);
    });

    it.each(['/nowhere', '/api/nowhere', '/'])(
      '%s is a 404 of the application, whoever asks',
      async (path) => {
        const prefixed = await start({ prefix: 'api' });
        for (const options of [{}, as('acme'), as('nobody')]) {
          const { status, body } = await prefixed.send(path, options);
          expect(status).toBe(404);
          expect(body).not.toHaveProperty('code');
        }
        await expect(prefixed.send('/api/tenant', as('acme'))).resolves.toEqual(servedAs('acme'));
      },
    );

    it('malformed JSON is a 400, and the next request is served', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const headers = { 'x-tenant-id': 'acme', 'content-type': 'application/json' };
      const { status } = await app.send('/work', { method: 'POST', headers, body: '{"turns":', agent });
      expect(status).toBe(400);
      await expect(app.send('/tenant', { ...as('globex'), agent })).resolves.toEqual(servedAs('globex'));
      agent.destroy();
    });

    it('a route is a 500 with the remedy in the log, never "no claim"', async () => {
      const bare = await start({ withoutMiddleware: true });
      for (const path of ['/tenant', '/optional']) {
        bare.log.errors.length = 0;
        await expect(bare.send(path, as('acme'))).resolves.toEqual(REQUIRED);
        expect(bare.log.errors).toEqual([expect.stringContaining('TenancyModule.forRoot()')]);
      }
      await expect(bare.send('/free')).resolves.toMatchObject({ status: 200 });
    });
  });
});
