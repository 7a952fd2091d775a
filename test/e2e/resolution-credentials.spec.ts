import { credentialResolver } from '../../lib/resolution/resolvers/credential-resolver';
import { fromCookie } from '../../lib/resolution/resolvers/from-cookie';
import { fromDomain } from '../../lib/resolution/resolvers/from-domain';
import { fromHeader } from '../../lib/resolution/resolvers/from-header';
import { fromQuery } from '../../lib/resolution/resolvers/from-query';
import { fromSubdomain } from '../../lib/resolution/resolvers/from-subdomain';
import { slugOrId } from '../../lib/registry/claim';
import type { TenantRequest, TenantResolver } from '../../lib/resolution/resolvers/tenant-resolver';
import { refusedWith, ResolutionApp, servedAs } from '../support/resolution-app';
import { ADAPTERS } from '../support/sample-app';

const MISMATCH = refusedWith(403, 'TENANT_MISMATCH');
const NOT_FOUND = refusedWith(404, 'TENANT_NOT_FOUND');

/** A credential that is what it says: a key `of-acme` is acme's. */
const fromKey = (header: string, async: boolean): TenantResolver =>
  credentialResolver((request: TenantRequest) => {
    const key = request.header(header);
    if (key === 'forged') throw new Error('forged');
    const claim = key === undefined ? undefined : slugOrId(key.replace('of-', ''));
    return async ? Promise.resolve(claim) : claim;
  });

const domainKey = credentialResolver(({ header }) => {
  const value = header('x-domain-key');
  return value === undefined ? undefined : { by: 'domain', value };
});

describe.each(ADAPTERS)('credentials on %s', (_platform, adapter) => {
  const open: ResolutionApp[] = [];
  let app: ResolutionApp;

  beforeAll(async () => {
    app = await ResolutionApp.start(
      {
        adapter: adapter(),
        resolvers: [
          fromHeader('x-tenant-id'),
          fromKey('x-key', true),
          fromDomain(),
          domainKey,
          fromKey('x-sync-key', false),
        ],
      },
      { acme: ['shop.acme.com'], globex: ['shop.globex.com'] },
    );
    await app.add('hooli', [], 'suspended');
    open.push(app);
  });
  afterAll(() => Promise.all(open.map((each) => each.close())));

  it('that agree with the claim that decides are served', async () => {
    for (const key of ['x-key', 'x-sync-key']) {
      await expect(app.get('/who', { 'x-tenant-id': 'acme', [key]: 'of-acme' })).resolves.toEqual(
        servedAs('acme'),
      );
    }
    const all = { host: 'shop.acme.com', 'x-sync-key': 'of-acme', 'x-domain-key': 'shop.acme.com' };
    await expect(app.get('/who', all)).resolves.toEqual(servedAs('acme'));
  });

  it('agree by the tenant, not by its name', async () => {
    const headers = { 'x-tenant-id': 'acme', 'x-key': `of-${app.ids.acme}`, 'x-domain-key': 'shop.acme.com' };
    await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
  });

  it('decide themselves when they are first', async () => {
    await expect(app.get('/who', { 'x-key': 'of-globex' })).resolves.toEqual(servedAs('globex'));
    await expect(app.get('/who', { 'x-domain-key': 'shop.globex.com' })).resolves.toEqual(servedAs('globex'));
  });

  it.each([
    ['header', { 'x-tenant-id': 'acme', 'x-key': 'of-globex' }],
    ['header, with the last of all resolvers', { 'x-tenant-id': 'acme', 'x-sync-key': 'of-globex' }],
    ['header, with a domain', { 'x-tenant-id': 'acme', 'x-domain-key': 'shop.globex.com' }],
    ['host', { host: 'shop.acme.com', 'x-sync-key': 'of-globex' }],
    ['another credential', { 'x-key': 'of-acme', 'x-sync-key': 'of-globex' }],
    [
      'header, which another credential agrees with',
      { 'x-tenant-id': 'acme', 'x-key': 'of-acme', 'x-sync-key': 'of-globex' },
    ],
    ['header, for a suspended tenant', { 'x-tenant-id': 'acme', 'x-key': 'of-hooli' }],
    ['header of a suspended tenant', { 'x-tenant-id': 'hooli', 'x-key': 'of-acme' }],
  ])('of another tenant than the %s are 403, whose message names neither', async (_claim, headers) => {
    for (const path of ['/who', '/optional']) {
      // The second time every tenant is remembered.
      await expect(app.get(path, headers)).resolves.toEqual(MISMATCH);
      const { body } = await app.get(path, headers);
      expect(JSON.stringify(body)).not.toMatch(/acme|globex|hooli/);
    }
  });

  it('of nobody are refused, with a claim and alone', async () => {
    for (const key of ['of-nobody', 'of-', `of-01890a5d-ac96-774b-bcce-b302099a8099`]) {
      await expect(app.get('/who', { 'x-tenant-id': 'acme', 'x-key': key })).resolves.toEqual(MISMATCH);
      await expect(app.get('/who', { 'x-key': key })).resolves.toEqual(NOT_FOUND);
    }
    await expect(app.get('/who', { 'x-tenant-id': 'acme', 'x-domain-key': 'nobody.com' })).resolves.toEqual(
      MISMATCH,
    );
    // A host of nobody makes no claim; a credential of nobody is one.
    await expect(app.get('/who', { 'x-domain-key': 'nobody.com', 'x-sync-key': 'of-acme' })).resolves.toEqual(
      NOT_FOUND,
    );
  });

  it('that are bad fail the request even when the tenant is found', async () => {
    for (const key of ['x-key', 'x-sync-key']) {
      await expect(app.get('/who', { 'x-tenant-id': 'acme', [key]: 'forged' })).resolves.toMatchObject({
        status: 500,
      });
    }
  });

  it('leave alone what belongs to no tenant', async () => {
    const headers = { 'x-tenant-id': 'acme', 'x-key': 'of-globex' };
    await expect(app.get('/free', headers)).resolves.toMatchObject({ status: 200, body: { slug: null } });
  });

  describe.each([true, false])('wherever their resolver stands, async: %s', (async) => {
    const key = fromKey('x-key', async);
    const names = [
      fromHeader('x-tenant-id'),
      fromSubdomain('example.com'),
      fromCookie('tenant'),
      fromQuery('tenant'),
    ];
    const orders = Array.from({ length: names.length + 1 }, (_, n) => names.toSpliced(n, 0, key));
    const apps: ResolutionApp[] = [];

    beforeAll(async () => {
      for (const resolvers of orders) apps.push(await ResolutionApp.start({ adapter: adapter(), resolvers }));
      open.push(...apps);
    });

    it.each([
      ['header', '/who', { 'x-tenant-id': 'globex' }],
      ['header, while the host agrees', '/who', { 'x-tenant-id': 'globex', host: 'acme.example.com' }],
      ['host', '/who', { host: 'globex.example.com' }],
      ['host, while the header agrees', '/who', { 'x-tenant-id': 'acme', host: 'globex.example.com' }],
      ['cookie', '/who', { cookie: 'tenant=globex' }],
      ['query', '/who?tenant=globex', {}],
      [
        'query, while all else agrees',
        '/who?tenant=globex',
        { host: 'acme.example.com', cookie: 'tenant=acme' },
      ],
    ])('of another tenant than the %s names are 403', async (_claim, path, headers) => {
      for (const each of apps)
        for (const _ of ['asked for', 'remembered'])
          await expect(each.get(path, { ...headers, 'x-key': 'of-acme' })).resolves.toEqual(MISMATCH);
    });

    it('are refused beside a name of nobody', async () => {
      for (const each of apps) {
        const { status } = await each.get('/who', { 'x-tenant-id': 'nobody', 'x-key': 'of-acme' });
        expect([403, 404]).toContain(status);
      }
    });

    it('are served when all names agree, and when there are no others', async () => {
      for (const each of apps) {
        const all = { 'x-tenant-id': 'acme', host: 'acme.example.com', 'x-key': 'of-acme' };
        await expect(each.get('/who?tenant=acme', all)).resolves.toEqual(servedAs('acme'));
        await expect(each.get('/who', { 'x-key': 'of-acme', host: 'api.example.com' })).resolves.toEqual(
          servedAs('acme'),
        );
      }
    });
  });

  it('that come first leave a host of nobody without a say', async () => {
    const first = await ResolutionApp.start(
      { adapter: adapter(), resolvers: [fromKey('x-key', false), fromDomain()] },
      { acme: ['shop.acme.com'], globex: ['shop.globex.com'] },
    );
    open.push(first);
    const at = (host: string) => first.get('/who', { host, 'x-key': 'of-acme' });
    await expect(at('shop.globex.com')).resolves.toEqual(MISMATCH);
    await expect(at('shop.acme.com')).resolves.toEqual(servedAs('acme'));
    await expect(at('nobody.com')).resolves.toEqual(servedAs('acme'));
  });

  it('have no say in resolvers that read none: the first claim decides', async () => {
    const plain = await ResolutionApp.start({
      adapter: adapter(),
      resolvers: [fromHeader('x-tenant-id'), fromHeader('x-other')],
    });
    open.push(plain);
    const headers = { 'x-tenant-id': 'acme', 'x-other': 'globex' };
    await expect(plain.get('/who', headers)).resolves.toEqual(servedAs('acme'));
  });

  it('without a claim go with the fallback tenant only when there are none', async () => {
    const withFallback = await ResolutionApp.start({
      adapter: adapter(),
      resolvers: [fromKey('x-key', true)],
      fallbackTenant: 'globex',
    });
    open.push(withFallback);
    await expect(withFallback.get('/who')).resolves.toEqual(servedAs('globex'));
    await expect(withFallback.get('/who', { 'x-key': 'of-acme' })).resolves.toEqual(servedAs('acme'));
    await expect(withFallback.get('/who', { 'x-key': 'of-nobody' })).resolves.toEqual(NOT_FOUND);
  });
});
