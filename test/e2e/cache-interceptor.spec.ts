import { CacheKey, CacheModule, CacheTTL } from '@nestjs/cache-manager';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Header,
  HttpCode,
  Injectable,
  NotFoundException,
  Optional,
  Post,
  Query,
  Res,
  StreamableFile,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { of } from 'rxjs';
import { CurrentTenant, TenancyModule, TenantFree } from '../../lib';
import { SameForEveryCaller, TenancyCacheModule, TenantCache, TenantCacheInterceptor } from '../../lib/cache';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

/** How often a handler ran: an answer that was kept has an earlier number. */
let calls = 0;
const answer = (tenant: string) => ({ tenant, call: ++calls });

/** As an application's own authentication: it knows callers by means that we do not. */
@Injectable()
class KnowsCallers implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    if (request.headers['x-badge'] === 'revoked') throw new ForbiddenException();
    if (request.headers['x-badge']) request.user = { id: request.headers['x-badge'] };
    return true;
  }
}

interface Reply {
  header(name: string, value: string): unknown;
  status(code: number): unknown;
}

@Controller('prices')
@UseInterceptors(TenantCacheInterceptor)
@UseGuards(KnowsCallers)
class PricesController {
  constructor(@Optional() private readonly cache: TenantCache) {}

  @Get()
  list(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Post()
  post(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('keyed')
  @CacheKey('prices')
  keyed(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('made')
  @CacheKey((context: ExecutionContext) => {
    const { url } = context.switchToHttp().getRequest<{ url: string }>();
    return url.includes('kept') ? 'made' : undefined;
  })
  made(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('short')
  @CacheTTL(1_000)
  short(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('never')
  @CacheTTL(() => 0)
  never(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('bad-ttl')
  @CacheTTL(() => Promise.reject(new Error('No time.')))
  badTtl(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('same')
  @SameForEveryCaller()
  same(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('cookie')
  cookie(@CurrentTenant('slug') slug: string, @Res({ passthrough: true }) reply: Reply) {
    reply.header('Set-Cookie', 'session=1');
    return answer(slug);
  }

  @Get('no-store')
  @Header('Cache-Control', 'no-store')
  noStore(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('accepted')
  @HttpCode(202)
  accepted(@CurrentTenant('slug') slug: string) {
    return answer(slug);
  }

  @Get('missing')
  missing(): never {
    calls += 1;
    throw new NotFoundException();
  }

  @Get('stream')
  stream() {
    return new StreamableFile(Buffer.from(`${++calls}`));
  }

  @Get('observable')
  observable(@CurrentTenant('slug') slug: string) {
    return of('first', answer(slug));
  }

  @Get('null')
  nothing(@Query('is') is: string) {
    calls += 1;
    return is === 'null' ? null : { call: calls };
  }

  @Get('cleared')
  async cleared(@CurrentTenant('slug') slug: string) {
    const made = answer(slug);
    await this.cache.clear();
    return made;
  }

  @Get('free')
  @TenantFree()
  free() {
    return answer('nobody');
  }
}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('TenantCacheInterceptor behind %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(notesOptions(database)),
          CacheModule.register(),
          TenancyCacheModule.forRoot({}),
        ],
        controllers: [PricesController],
      },
      { adapter: adapter() as ExpressAdapter },
    );
    for (const slug of ['acme', 'globex']) await running.create({ slug });
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
  });
  afterEach(() => jest.restoreAllMocks());

  const ask = (path: string, tenant = 'acme', headers: Record<string, string> = {}, method = 'GET') =>
    fetch(new URL(`prices${path}`, running.url), { method, headers: { 'x-tenant-id': tenant, ...headers } });
  /** Whether the second of two equal questions got what the first got. */
  const isKept = async (path: string, headers?: Record<string, string>, others = headers) => {
    const texts = [
      await (await ask(path, 'acme', headers)).text(),
      await (await ask(path, 'acme', others)).text(),
    ];
    return texts[0] === texts[1];
  };

  it('keeps the answer for its tenant alone', async () => {
    const [first, second, other] = [await ask(''), await ask(''), await ask('', 'globex')];
    expect([first, second, other].map(({ headers }) => headers.get('X-Cache'))).toEqual([
      'MISS',
      'HIT',
      'MISS',
    ]);
    const body = await first.json();
    expect(body).toMatchObject({ tenant: 'acme' });
    expect(await second.json()).toEqual(body);
    expect(await other.json()).toMatchObject({ tenant: 'globex' });
  });

  it('tells paths, queries, hosts, languages and formats apart', async () => {
    expect(await isKept('?page=1')).toBe(true);
    for (const path of ['?page=2', '?page=1&page=2', '/keyed'])
      expect(await (await ask('?page=1')).text()).not.toBe(await (await ask(path)).text());
    for (const headers of [{ 'accept-language': 'de' }, { accept: 'text/csv' }])
      expect(await isKept('', {}, headers as never)).toBe(false);
  });

  it('honours @CacheKey() and @CacheTTL(), and @CacheKey() cannot take one tenant to another', async () => {
    expect(await isKept('/keyed')).toBe(true);
    expect(await (await ask('/keyed?other')).json()).toEqual(await (await ask('/keyed')).json());
    expect(await (await ask('/keyed', 'globex')).json()).toMatchObject({ tenant: 'globex' });
    expect([await isKept('/made?kept'), await isKept('/made')]).toEqual([true, false]);
    const now = Date.now();
    expect(await isKept('/short')).toBe(true);
    const early = await (await ask('/short')).text();
    jest.spyOn(Date, 'now').mockReturnValue(now + 60_000);
    expect(await (await ask('/short')).text()).not.toBe(early);
    expect(await isKept('/never')).toBe(false);
  });

  it('answers 500 when @CacheTTL() fails, as Nest does, and goes on', async () => {
    expect((await ask('/bad-ttl')).status).toBe(500);
    expect((await ask('/keyed')).status).toBe(200);
  });

  it('gives no caller the answer of another, unless the route says that it is the same', async () => {
    const callers: Record<string, string>[] = [
      {},
      { authorization: 'Bearer one' },
      { authorization: 'Bearer two' },
      { cookie: 'session=1' },
      { cookie: 'session=2' },
      { 'x-api-key': 'one' },
      { 'x-user-id': '1' },
      { 'x-user-id': '2' },
      { 'x-forwarded-client-cert': 'Hash=1' },
      { 'x-forwarded-client-cert': 'Hash=2' },
      { 'x-ssl-client-s-dn': 'CN=ann' },
      { 'x-ssl-client-s-dn': 'CN=bob' },
      { 'x-ms-client-principal': 'ann' },
      { 'x-ms-client-principal': 'bob' },
      // The application knows these by their badge.
      { cookie: 'theme=dark', 'x-badge': 'ann' },
      { cookie: 'theme=dark', 'x-badge': 'bob' },
    ];
    const path = '?whose';
    const answers = [];
    for (const headers of callers) answers.push(await (await ask(path, 'acme', headers)).text());
    expect(new Set(answers).size).toBe(callers.length);
    for (const [index, headers] of callers.entries())
      expect(await (await ask(path, 'acme', headers)).text()).toBe(answers[index]);
    const same = await Promise.all(
      callers.slice(0, 1).map(async (headers) => (await ask('/same', 'acme', headers)).text()),
    );
    for (const headers of callers) expect(await (await ask('/same', 'acme', headers)).text()).toBe(same[0]);
    expect(await (await ask('/same', 'globex')).json()).toMatchObject({ tenant: 'globex' });
  });

  it('keeps nothing for a caller whom the application knows by something else', async () => {
    expect(await isKept('', { 'x-badge': 'ann' })).toBe(false);
    expect(await isKept('/same', { 'x-badge': 'ann' }, { 'x-badge': 'bob' })).toBe(true);
  });

  it('runs guards before it gives what was kept', async () => {
    expect(await isKept('/same')).toBe(true);
    expect((await ask('/same', 'acme', { 'x-badge': 'revoked' })).status).toBe(403);
  });

  // `/cleared` is of a generation that ended while it was answered.
  it.each(['/cookie', '/no-store', '/accepted', '/missing', '/stream', '/free', '/cleared'])(
    'keeps nothing of %s',
    async (path) => {
      const before = calls;
      await (await ask(path)).text();
      await (await ask(path)).text();
      expect(calls).toBe(before + 2);
    },
  );

  it('keeps what comes last, null too, and nothing of a POST', async () => {
    expect(await isKept('/observable')).toBe(true);
    expect(await (await ask('/observable')).json()).toMatchObject({ tenant: 'acme' });
    const before = calls;
    for (let i = 0; i < 2; i++) await (await ask('/null?is=null')).text();
    expect(calls).toBe(before + 1);
    for (let i = 0; i < 2; i++) await (await ask('', 'acme', {}, 'POST')).text();
    expect(calls).toBe(before + 3);
  });
});

describe('callerOf', () => {
  it('says by the application who a caller is, and nothing is kept where it does not say', async () => {
    const database = await createTestDatabase();
    const callerOf = (request: object) => {
      const { 'x-badge': badge } = (request as { headers: Record<string, string | undefined> }).headers;
      return badge;
    };
    const running = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        CacheModule.register(),
        TenancyCacheModule.forRoot({ callerOf }),
      ],
      controllers: [PricesController],
    });
    try {
      await running.create({ slug: 'acme' });
      const texts = async (...badges: string[]) => {
        const answers = [];
        for (const badge of badges) {
          const headers = {
            'x-tenant-id': 'acme',
            ...(badge ? { 'x-badge': badge } : {}),
            cookie: `${Math.random()}`,
          };
          answers.push(await (await fetch(new URL('prices', running.url), { headers })).text());
        }
        return new Set(answers).size;
      };
      expect([await texts('ann', 'ann'), await texts('ann', 'bob'), await texts('', '')]).toEqual([1, 2, 2]);
    } finally {
      await running.close();
      await database.drop();
    }
  });

  it('is said at the start to be missing with its module', async () => {
    const database = await createTestDatabase();
    const imports = [TenancyModule.forRoot(notesOptions(database))];
    await expect(startTestApp({ imports, controllers: [PricesController] })).rejects.toMatchObject({
      code: 'MODULE_MISSING',
      message: expect.stringContaining('TenancyCacheModule'),
    });
    await database.drop();
  });
});
