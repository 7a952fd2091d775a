import type { INestApplication } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { fromPath } from '../../lib/resolution/resolvers/from-path';
import { fromSubdomain } from '../../lib/resolution/resolvers/from-subdomain';
import { stripTenantPath } from '../../lib/resolution/http/strip-tenant-path';
import type { TenantPathOptions } from '../../lib/resolution/resolvers/tenant-path';
import { refusedWith, ResolutionApp, type ResolutionAppOptions, servedAs } from '../support/resolution-app';

const NOT_FOUND = refusedWith(404, 'TENANT_NOT_FOUND');
const MISSING = refusedWith(400, 'TENANT_MISSING');

interface Platform {
  readonly bare: () => AbstractHttpAdapter;
  /** Adapter and preparation of an application whose paths are stripped. */
  readonly stripping: (options?: TenantPathOptions) => {
    adapter: AbstractHttpAdapter;
    prepare: (app: INestApplication) => void;
  };
}

const PLATFORMS: [string, Platform][] = [
  [
    'Express',
    {
      bare: () => new ExpressAdapter(),
      stripping: (options) => ({
        adapter: new ExpressAdapter(),
        prepare: (app) => app.use(stripTenantPath(options)),
      }),
    },
  ],
  [
    'Fastify',
    {
      bare: () => new FastifyAdapter(),
      stripping: (options) => ({
        adapter: new FastifyAdapter({ rewriteUrl: stripTenantPath(options) }),
        prepare: () => {},
      }),
    },
  ],
];

/** Spellings that name nobody, of a path to `orders` of acme. */
const HOSTILE = [
  '/t//who',
  '/t/../who',
  '/t/%2e%2e/who',
  '/t/%252e%252e/who',
  '/t/%61cme/who',
  '/t/%2561cme/who',
  '/t/acme%2fglobex/who',
  '/t/acme%252fglobex/who',
  '/t/acme%00/who',
  '/t/%zz/who',
  '/t/acme;globex/who',
  '/t/ACME/who',
  '/t/nobody/who',
  '/t/\xd0\xb0cme/who',
  '/T/acme/who',
  '/%74/acme/who',
  '/%2574/acme/who',
  '//t/acme/who',
  '/t%2facme/who',
  '/t\\acme/who',
  `/t/${'a'.repeat(5_000)}/who`,
];

describe.each(PLATFORMS)('a tenant in the path on %s', (_name, platform) => {
  const open: ResolutionApp[] = [];
  const start = async (options: Partial<ResolutionAppOptions> & Pick<ResolutionAppOptions, 'adapter'>) => {
    const app = await ResolutionApp.start({ resolvers: [fromPath()], ...options });
    open.push(app);
    return app;
  };
  afterAll(() => Promise.all(open.map((app) => app.close())));

  it('is read from routes that are declared under it', async () => {
    const app = await start({
      adapter: platform.bare(),
      prepare: (nest) => nest.setGlobalPrefix('t/:tenant'),
    });
    await expect(app.get('/t/acme/who')).resolves.toEqual(servedAs('acme'));
    await expect(app.get(`/t/${app.ids.globex}/who?page=2`)).resolves.toEqual(servedAs('globex'));
    await expect(app.get('/t/nobody/who')).resolves.toEqual(NOT_FOUND);
    await expect(app.get('/t/nobody/free')).resolves.toMatchObject({ status: 200 });
    await expect(app.get('/who')).resolves.toMatchObject({ status: 404 });
  });

  it('is read of an absolute target as well, whose host names nobody here', async () => {
    const declared = await start({
      adapter: platform.bare(),
      prepare: (nest) => nest.setGlobalPrefix('t/:tenant'),
    });
    const stripped = await start(platform.stripping());
    for (const app of [declared, stripped]) {
      await expect(app.get('http://t/t/acme/who?page=2')).resolves.toEqual(servedAs('acme'));
      await expect(app.get('http://acme.example.com/t/nobody/who')).resolves.toEqual(NOT_FOUND);
      const { status } = await app.get('http://t/acme/who');
      expect(status).toBe(404);
    }
  });

  it('that is stripped leaves an absolute target to those who read the host', async () => {
    const app = await start({ ...platform.stripping(), resolvers: [fromSubdomain('example.com')] });
    const target = 'http://acme.example.com/t/globex/who';
    await expect(app.get(target, { host: 'acme.example.com' })).resolves.toEqual(servedAs('acme'));
    await expect(app.get(target, { host: 'globex.example.com' })).resolves.toEqual(MISSING);
  });

  it('is never another one, nor a crash, however the path is spelled', async () => {
    const app = await start({
      adapter: platform.bare(),
      prepare: (nest) => nest.setGlobalPrefix('t/:tenant'),
      // Whoever slips through without a claim would be served as this one.
      fallbackTenant: 'globex',
    });
    for (const path of HOSTILE) {
      const { status } = await app.get(path);
      expect({ path, refused: status === 404 || status === 400 || status === 414 }).toEqual({
        path,
        refused: true,
      });
    }
    await expect(app.get('/t/acme/who')).resolves.toEqual(servedAs('acme'));
  });

  describe('that is stripped', () => {
    let app: ResolutionApp;
    beforeAll(async () => {
      app = await start(platform.stripping());
    });

    it('leaves the route as it is declared', async () => {
      await expect(app.get('/t/acme/who')).resolves.toEqual(servedAs('acme'));
      await expect(app.get('/t/globex/who?page=2')).resolves.toEqual(servedAs('globex'));
      await expect(app.get(`/t/${app.ids.acme}/optional`)).resolves.toEqual(servedAs('acme'));
    });

    it('may be left out', async () => {
      await expect(app.get('/who')).resolves.toEqual(MISSING);
      await expect(app.get('/optional')).resolves.toMatchObject({ status: 200, body: { slug: null } });
      await expect(app.get('/free')).resolves.toMatchObject({ status: 200 });
    });

    it('is read from what was sent, so a second one in the path counts for nothing', async () => {
      await expect(app.get('/t/nobody/who')).resolves.toEqual(NOT_FOUND);
      const { status } = await app.get('/t/acme/t/globex/who');
      expect(status).toBe(404);
    });

    it('is never another one, nor a crash, however the path is spelled', async () => {
      const withFallback = await start({ ...platform.stripping(), fallbackTenant: 'globex' });
      for (const path of HOSTILE) {
        const { status } = await withFallback.get(path);
        expect({ path, refused: status === 404 || status === 400 || status === 414 }).toEqual({
          path,
          refused: true,
        });
      }
      await expect(withFallback.get('/t/acme/who')).resolves.toEqual(servedAs('acme'));
      await expect(withFallback.get('/who')).resolves.toEqual(servedAs('globex'));
    });

    it('works in front of a global prefix', async () => {
      const { adapter, prepare } = platform.stripping();
      const prefixed = await start({
        adapter,
        prepare: (nest) => {
          prepare(nest);
          nest.setGlobalPrefix('api');
        },
      });
      await expect(prefixed.get('/t/acme/api/who')).resolves.toEqual(servedAs('acme'));
      await expect(prefixed.get('/t/acme/who')).resolves.toMatchObject({ status: 404 });
      await expect(prefixed.get('/api/who')).resolves.toEqual(MISSING);
    });

    it('may stand behind another prefix', async () => {
      const prefix = '/app/tenants';
      const prefixed = await start({ ...platform.stripping({ prefix }), resolvers: [fromPath({ prefix })] });
      await expect(prefixed.get('/app/tenants/acme/who')).resolves.toEqual(servedAs('acme'));
      await expect(prefixed.get('/t/acme/who')).resolves.toMatchObject({ status: 404 });
    });
  });
});
