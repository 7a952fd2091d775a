import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { fromDomain, fromHeader, fromSubdomain, TenancyModule, TenantLifecycle } from '../../lib';
import { fromApiKey, TenancyAccessModule } from '../../lib/access';
import { TenancyDomainsModule, type TenancyDomainsOptions } from '../../lib/domains';
import { TenantStore } from '../../lib/registry/store/tenant.store';
import { TenancyUnavailableError } from '../../lib/common/tenancy.errors';
import { DomainsController } from '../../lib/domains/domains.controller';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ManualClock } from '../support/manual-clock';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

const SECRET = 'a secret of the proxy';

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('GET /domains/ask behind %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;

  const start = (options?: TenancyDomainsOptions) =>
    startTestApp(
      {
        imports: [
          TenancyModule.forRoot(
            notesOptions(database, {
              wildcardDomains: true,
              // A credential is no reason to refuse it, and none is needed.
              resolvers: [
                fromApiKey(),
                fromHeader('x-tenant-id'),
                fromDomain({ wildcards: true }),
                fromSubdomain('example.com'),
              ],
            }),
          ),
          TenancyAccessModule.forRoot({ routes: false }),
          TenancyDomainsModule.forRoot(options),
        ],
      },
      { adapter: adapter() as ExpressAdapter },
    );

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await start();
    await running.create({ slug: 'acme', domains: ['shop.acme.test', '*.acme.test', 'xn--bcher-kva.test'] });
    await running.create({ slug: 'globex', domains: ['globex.test'] });
    await running.app.get(TenantLifecycle).suspend('globex');
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
  });
  afterEach(() => jest.restoreAllMocks());

  const ask = async (query: string, { url } = running) => {
    const answer = await fetch(new URL(`domains/ask${query}`, url));
    expect(await answer.text()).toBe('');
    return answer;
  };
  const about = async (domain: string) => (await ask(`?domain=${encodeURIComponent(domain)}`)).status;

  it.each([
    'shop.acme.test',
    'SHOP.Acme.TEST',
    'shop.acme.test.',
    'bücher.test',
    'xn--bcher-kva.test',
    'any.acme.test',
    'acme.example.com',
  ])('lets a certificate be had for a host that is served: %s', async (domain) => {
    expect(await about(domain)).toBe(200);
  });

  it.each([
    'other.test',
    'acme.test',
    'a.b.acme.test',
    'globex.test',
    'globex.example.com',
    'nobody.example.com',
    'www.example.com',
    'example.com',
    'a.acme.example.com',
    '*.acme.test',
    '',
    'acme',
    'shop.acme.test..',
    'shop.acme.test:443',
    'https://shop.acme.test',
    'shop.acme.test/',
    'shop.acme.test\0',
    ' shop.acme.test',
    '127.0.0.1',
    '0x7f.1',
    '[::1]',
    `${'a'.repeat(64)}.acme.test`,
    `${'a.'.repeat(200)}test`,
    'x'.repeat(8_000),
    '../admin',
    '💶',
  ])('and for no other (%#)', async (domain) => {
    expect(await about(domain)).toBe(404);
  });

  it.each([
    '',
    '?',
    '?domain',
    '?domain=shop.acme.test&domain=other.test',
    '?domain[]=shop.acme.test',
    '?host=shop.acme.test',
  ])('nor for what is no question: %s', async (query) => {
    expect((await ask(query)).status).toBe(404);
  });

  it('is answered 404 at once for a tenant that is suspended or has lost its domain, and 200 when it is back', async () => {
    const lifecycle = running.app.get(TenantLifecycle);
    const { id } = await running.create({ slug: 'initech', domains: ['initech.test'] });
    expect(await about('initech.test')).toBe(200);
    await lifecycle.suspend(id);
    expect([await about('initech.test'), await about('initech.example.com')]).toEqual([404, 404]);
    await lifecycle.activate(id);
    expect(await about('initech.test')).toBe(200);
    await lifecycle.removeDomain(id, 'initech.test');
    expect(await about('initech.test')).toBe(404);
  });

  it('is answered 503, not 404, while the registry cannot say', async () => {
    const store = running.app.get(TenantStore);
    const away = () => Promise.reject(new TenancyUnavailableError('The database'));
    jest.spyOn(store, 'find').mockImplementation(away);
    jest.spyOn(store, 'findMany').mockImplementation(away);
    const answer = await ask('?domain=never-asked.test');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  });

  it('is answered only for those who may ask, and so often', async () => {
    const clock = new ManualClock();
    const strict = await start({ secret: SECRET, asksPerMinute: 3 });
    Object.assign(strict.app.get(DomainsController), { clock });
    try {
      const query = `?domain=shop.acme.test&secret=${encodeURIComponent(SECRET)}`;
      for (const wrong of [
        '',
        '&secret=',
        '&secret=other',
        `&secret=${SECRET}x`,
        `&secret=${SECRET}&secret=${SECRET}`,
      ])
        expect((await ask(`?domain=shop.acme.test${wrong}`, strict)).status).toBe(404);
      // What was refused did not count.
      for (let i = 0; i < 3; i++) expect((await ask(query, strict)).status).toBe(200);
      const refused = await ask(query, strict);
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60']);
      await clock.advance(60_000);
      expect((await ask(query, strict)).status).toBe(200);
    } finally {
      await strict.close();
    }
    const elsewhere = await start({ allowedIps: ['10.0.0.0/8'] });
    try {
      expect((await ask('?domain=shop.acme.test', elsewhere)).status).toBe(404);
      const headers = { 'x-forwarded-for': '10.0.0.1' };
      const forged = await fetch(new URL('domains/ask?domain=shop.acme.test', elsewhere.url), { headers });
      expect(forged.status).toBe(404);
    } finally {
      await elsewhere.close();
    }
  });

  it('fails the start with options that cannot work', async () => {
    const wrong = { secret: 'short', allowedIps: ['everywhere'], asksPerMinute: 0 };
    await expect(start(wrong)).rejects.toMatchObject({
      code: 'DOMAINS_OPTIONS_INVALID',
      message: expect.not.stringContaining("'short'"),
    });
  });
});
