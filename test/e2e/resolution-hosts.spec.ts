import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { fromCookie } from '../../lib/resolution/resolvers/from-cookie';
import { fromDomain } from '../../lib/resolution/resolvers/from-domain';
import { fromQuery } from '../../lib/resolution/resolvers/from-query';
import { fromSubdomain } from '../../lib/resolution/resolvers/from-subdomain';
import { refusedWith, ResolutionApp, type ResolutionAppOptions, servedAs } from '../support/resolution-app';

const NOT_FOUND = refusedWith(404, 'TENANT_NOT_FOUND');
const MISSING = refusedWith(400, 'TENANT_MISSING');

const TENANTS = {
  acme: ['shop.acme.com', 'xn--bcher-kva.example'],
  globex: ['*.acme.com', '*.globex.com'],
};

/** What a platform believes of its proxies. */
type TrustProxy = boolean | string;

describe.each<[string, (trustProxy?: TrustProxy) => AbstractHttpAdapter]>([
  [
    'Express',
    (trustProxy) => {
      const adapter = new ExpressAdapter();
      if (trustProxy !== undefined) adapter.set('trust proxy', trustProxy);
      return adapter;
    },
  ],
  ['Fastify', (trustProxy) => new FastifyAdapter(trustProxy === undefined ? {} : { trustProxy })],
])('on %s', (_platform, createAdapter) => {
  const open: ResolutionApp[] = [];
  const start = async (options: Partial<ResolutionAppOptions> = {}) => {
    const app = await ResolutionApp.start(
      {
        adapter: createAdapter(),
        resolvers: [fromSubdomain('example.com'), fromDomain({ wildcards: true })],
        ...options,
      },
      TENANTS,
    );
    open.push(app);
    return app;
  };
  let app: ResolutionApp;
  beforeAll(async () => {
    app = await start();
  });
  afterAll(() => Promise.all(open.map((each) => each.close())));

  describe('a host', () => {
    const utf8 = (text: string) => Buffer.from(text).toString('latin1');

    it.each([
      ['bücher.example', utf8('bücher.example'), servedAs('acme')],
      ['BÜCHER.example.:80', utf8('BÜCHER.example.:80'), servedAs('acme')],
      ['its punycode', 'XN--BCHER-KVA.example', servedAs('acme')],
      ['a look-alike subdomain', utf8('аcme.example.com'), NOT_FOUND],
      ['a full-width subdomain, which browsers send as acme', utf8('ａcme.example.com'), servedAs('acme')],
      ['Latin-1', 'b\xfccher.example', MISSING],
      ['broken UTF-8', '\xc3.example', MISSING],
      ['a user', utf8('acme@bücher.example'), MISSING],
      ['a domain with a trailing dot', 'shop.acme.com.', servedAs('acme')],
      ['a domain with two trailing dots', 'shop.acme.com..', MISSING],
      ['a domain with two trailing dots and a port', 'shop.acme.com..:80', MISSING],
      ['a star', '*.acme.com', MISSING],
      ['a star under the parent', '*.example.com', NOT_FOUND],
    ])('may be sent as %s', async (_case, host, expected) => {
      await expect(app.get('/who', { host })).resolves.toEqual(expected);
    });

    it.each([
      ['the same host', 'http://acme.example.com/who', 'acme.example.com', servedAs('acme')],
      ['the same domain', 'HTTP://Shop.Acme.com.:80/who?page=2', 'shop.acme.com', servedAs('acme')],
      ['another tenant', 'http://globex.example.com/who', 'acme.example.com', MISSING],
      ['another tenant by domain', 'http://blog.globex.com/who', 'acme.example.com', MISSING],
      ['a host of nobody', 'http://initech.com/who', 'acme.example.com', MISSING],
      ['a user', 'http://acme.example.com@globex.example.com/who', 'acme.example.com', MISSING],
    ])('of an absolute target must be that of Host: %s', async (_case, target, host, expected) => {
      await expect(app.get(target, { host })).resolves.toEqual(expected);
    });

    it('is not made of half of a malformed Host', async () => {
      const host = 'acme.example.com:80@globex.example.com';
      await expect(app.get('/who', { host })).resolves.toEqual(MISSING);
    });

    it('of two Host headers is none, and Node refuses a request without one', async () => {
      await expect(app.send('GET /who HTTP/1.1', 'Host: acme.example.com')).resolves.toContain('"acme"');
      await expect(
        app.send('GET /who HTTP/1.1', 'Host: acme.example.com', 'Host: globex.example.com'),
      ).resolves.toMatch(/^HTTP\/1.1 400 /);
      await expect(app.send('GET http://acme.example.com/who HTTP/1.1')).resolves.toMatch(/^HTTP\/1.1 400 /);
    });

    it('of a request of HTTP/1.0 may be named by its target alone', async () => {
      await expect(app.send('GET http://acme.example.com/who HTTP/1.0')).resolves.toContain('"acme"');
    });

    it('belongs to whom it is registered for, else to whom the wildcard of one label is', async () => {
      await expect(app.get('/who', { host: 'shop.acme.com' })).resolves.toEqual(servedAs('acme'));
      await expect(app.get('/who', { host: 'Blog.ACME.com.:80' })).resolves.toEqual(servedAs('globex'));
      await expect(app.get('/who', { host: 'blog.globex.com' })).resolves.toEqual(servedAs('globex'));
      for (const host of ['acme.com', 'globex.com', 'a.blog.globex.com', 'a.shop.acme.com', '.globex.com']) {
        await expect(app.get('/who', { host })).resolves.toEqual(MISSING);
      }
    });

    it('belongs to nobody by a wildcard when resolvers do not ask for one', async () => {
      const exact = await start({ resolvers: [fromDomain()] });
      await expect(exact.get('/who', { host: 'shop.acme.com' })).resolves.toEqual(servedAs('acme'));
      await expect(exact.get('/who', { host: 'blog.globex.com' })).resolves.toEqual(MISSING);
    });
  });

  describe('trustedProxies', () => {
    const forwarded = (value: string | string[]) => ({
      host: 'globex.example.com',
      'x-forwarded-host': value,
    });

    it('believe a proxy that the platform does not know of', async () => {
      const trusting = await start({ trustedProxies: ['loopback'] });
      await expect(trusting.get('/who', forwarded('acme.example.com'))).resolves.toEqual(servedAs('acme'));
    });

    it('believe nobody else, whatever the platform believes', async () => {
      for (const trustedProxies of [['10.1.2.3', '192.168.0.0/16'], []]) {
        const strict = await start({ adapter: createAdapter(true), trustedProxies });
        await expect(strict.get('/who', forwarded('acme.example.com'))).resolves.toEqual(servedAs('globex'));
      }
    });

    it.each([
      ['several hosts', 'acme.example.com, globex.example.com', MISSING],
      ['several headers', ['acme.example.com', 'globex.example.com'], MISSING],
      ['one host twice', ['acme.example.com', 'acme.example.com'], servedAs('acme')],
      ['nothing', '', servedAs('globex')],
      ['a URL', 'http://acme.example.com/', MISSING],
      ['a name of nobody', 'nobody.example.com', NOT_FOUND],
    ])('that forward %s', async (_case, value, expected) => {
      const trusting = await start({ trustedProxies: ['127.0.0.1/32'] });
      await expect(trusting.get('/who', forwarded(value))).resolves.toEqual(expected);
    });
  });

  describe('a query or a cookie', () => {
    let reading: ResolutionApp;
    beforeAll(async () => {
      reading = await start({ resolvers: [fromQuery('tenant'), fromCookie('tenant')] });
    });

    it('names the tenant', async () => {
      await expect(reading.get('/who?tenant=acme')).resolves.toEqual(servedAs('acme'));
      await expect(reading.get(`/who?a=1&tenant=${reading.ids.globex}`)).resolves.toEqual(servedAs('globex'));
      await expect(reading.get('/who', { cookie: 'a=1; tenant=acme' })).resolves.toEqual(servedAs('acme'));
      await expect(reading.get('/who?tenant=globex', { cookie: 'tenant=acme' })).resolves.toEqual(
        servedAs('globex'),
      );
    });

    it.each([
      ['/who?tenant=acme&tenant=globex', undefined],
      ['/who?tenant=acme&tenant=acme', undefined],
      ['/who?tenant=', 'tenant=acme'],
      ['/who?tenant=%00', undefined],
      ['/who?tenant=%zz', undefined],
      ['/who', 'tenant=acme; tenant=globex'],
      ['/who', 'tenant='],
      ['/who', `tenant=${'a'.repeat(8_192)}`],
    ])('that is repeated, empty or malformed names nobody: %s with %.40s', async (path, cookie) => {
      await expect(reading.get(path, cookie === undefined ? {} : { cookie })).resolves.toEqual(NOT_FOUND);
    });

    it('in two Cookie headers is a repeated one', async () => {
      const headers = { cookie: ['tenant=acme', 'tenant=globex'] };
      await expect(reading.get('/who', headers)).resolves.toEqual(NOT_FOUND);
    });

    it('of 8 kB does not hide the tenant', async () => {
      const cookie = `other=${'x'.repeat(8_192)}; tenant=acme`;
      await expect(reading.get('/who', { cookie })).resolves.toEqual(servedAs('acme'));
    });

    it('is missing: 400', async () => {
      await expect(reading.get('/who?tenant[]=acme', { cookie: 'tenants=acme' })).resolves.toEqual(MISSING);
    });
  });
});

describe('on Fastify with HTTP/2', () => {
  let app: ResolutionApp;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    // Nest's type of an adapter knows of HTTP/1 only.
    const adapter = new FastifyAdapter({ http2: true } as object) as AbstractHttpAdapter;
    app = await ResolutionApp.start({ adapter, resolvers: [fromSubdomain('example.com')] });
    session = connect(app.url);
  });
  afterAll(async () => {
    session?.close();
    await app?.close();
  });

  const get = async (headers: Record<string, string>) => {
    const stream = session.request({ ':path': '/who', ...headers });
    const [[answer], body] = await Promise.all([once(stream, 'response'), text(stream)]);
    return { status: (answer as Record<string, unknown>)[':status'], body: JSON.parse(body) as unknown };
  };

  it.each([
    ['alone', { ':authority': 'acme.example.com:80' }, servedAs('acme')],
    ['with the same Host', { ':authority': 'acme.example.com', host: 'ACME.example.com' }, servedAs('acme')],
    ['with another Host', { ':authority': 'acme.example.com', host: 'globex.example.com' }, MISSING],
    ['with a user', { ':authority': 'acme@globex.example.com' }, MISSING],
  ])('a host is named by :authority %s', async (_case, headers, expected) => {
    await expect(get(headers)).resolves.toEqual(expected);
  });
});
