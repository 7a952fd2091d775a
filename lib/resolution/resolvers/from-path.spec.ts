import fc from 'fast-check';
import { fakeRequest } from '../../../test/support/fake-request';
import { normalizeClaim } from '../../registry/claim';
import { fromPath } from './from-path';
import type { TenantPathOptions } from './tenant-path';
import { toTenantRequest } from '../http/tenant-request';
import type { RequestClaim } from './tenant-resolver';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

function claim(url: string, options?: TenantPathOptions) {
  return fromPath(options)(toTenantRequest(fakeRequest(url))) as RequestClaim | undefined;
}

describe('fromPath', () => {
  it.each(['/t/acme', '/t/acme/', '/t/acme/orders', '/t/acme?page=2', '/t/acme/t/globex', '/t/acme#top'])(
    'claims the slug in %s',
    (url) => {
      expect(claim(url)).toEqual({ by: 'slug', value: 'acme' });
    },
  );

  it.each([ID, ID.toUpperCase()])('claims an id for a segment shaped like a uuid: %s', (id) => {
    expect(claim(`/t/${id}/orders`)).toEqual({ by: 'id', value: id });
  });

  it('reads a URL that was sent whole', () => {
    expect(claim('http://user@example.com:3000/t/acme/orders')).toEqual({ by: 'slug', value: 'acme' });
    expect(claim('HTTPS://example.com/t/acme')).toEqual({ by: 'slug', value: 'acme' });
  });

  it.each([
    '',
    '/',
    '*',
    '/t',
    '/orders',
    '/tt/acme',
    '/x/t/acme',
    '/orders?/t/acme',
    '/#/t/acme',
    'http://t/acme',
  ])('makes no claim of %j', (url) => {
    expect(claim(url)).toBeUndefined();
  });

  it.each([
    '/t/',
    '/t//orders',
    '/t/../orders',
    '/t/%2e%2e/orders',
    '/t/%252e%252e/',
    '/t/%61cme/orders',
    '/t/%2561cme/orders',
    '/t/acme%2fglobex',
    '/t/acme%252Fglobex',
    '/t/acme%00',
    '/t/%00',
    '/t/%zz/orders',
    '/t/%',
    '/t/acme;globex',
    '/t/acme\\globex',
    '/t/ACME',
    '/t/аcme',
    `/t/${'a'.repeat(10_000)}`,
    '/t/constructor.prototype',
  ])('makes a claim that names nobody of %.40j', (url) => {
    expect(normalizeClaim(claim(url) as RequestClaim)).toBeUndefined();
  });

  it.each([
    '/T/acme',
    '/%74/acme',
    '/%2574/acme',
    '/%54/acme',
    '//t/acme',
    '/\\t/acme',
    '/t\\acme',
    '/t%2facme',
    '/t%5cacme',
    'http://example.com\\t\\acme',
  ])('makes a claim that names nobody of %s, which some routers take for /t/acme', (url) => {
    expect(claim(url)).toEqual({ by: 'slug', value: '' });
  });

  it('reads behind another prefix, or behind none', () => {
    expect(claim('/api/t/acme/orders', { prefix: '/api/t' })).toEqual({ by: 'slug', value: 'acme' });
    expect(claim('/t/acme', { prefix: '/api/t' })).toBeUndefined();
    expect(claim('/acme/orders', { prefix: '/' })).toEqual({ by: 'slug', value: 'acme' });
    expect(claim('/', { prefix: '/' })).toBeUndefined();
    expect(claim('/?page=2', { prefix: '/' })).toBeUndefined();
    expect(claim('//orders', { prefix: '/' })).toEqual({ by: 'slug', value: '' });
  });

  it.each(['', 't', '/t/', '/t/:tenant', '//', '/t?', '/%74', '/tä', '/t\n', 5, null])(
    'refuses the prefix %j',
    (prefix) => {
      expect(() => fromPath({ prefix } as TenantPathOptions)).toThrow(TypeError);
    },
  );
});

describe('100,000 URLs', () => {
  const segment = fc.constantFrom(
    ...[
      '/',
      '/',
      't',
      'T',
      '%74',
      '%2574',
      '%2f',
      '%5c',
      '\\',
      '..',
      '%2e',
      '%00',
      '%',
      '%zz',
      'acme',
      '%61cme',
    ],
    ...['?', '#', ';', ':', '@', 'http://', 'é', '%c3%a9', '\u00a0', '\0', '\ud800', ID],
  );
  const hostile = fc.array(fc.oneof(segment, fc.string({ unit: 'binary', maxLength: 2 })), { maxLength: 10 });
  const start = fc.constantFrom('', '', '/t/', '/t', 'http://h/t/', '//', '/T/');
  const url = fc.tuple(start, hostile).map(([head, tail]) => head + tail.join(''));

  it('crash nothing, and name a tenant only where it stands in the path as it is', () => {
    fc.assert(
      fc.property(url, (text) => {
        const made = claim(text);
        if (!made || !normalizeClaim(made)) return true;
        const path = text.replace(/^https?:\/\/[^/?#\\]*/i, '');
        const start = `/t/${made.value}`;
        return path.startsWith(start) && ['/', '?', '#', ''].includes(path.charAt(start.length));
      }),
      { numRuns: 100_000 },
    );
  });

  it('that begin with a tenant name it, whatever follows', () => {
    const slug = fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/);
    fc.assert(
      fc.property(slug, fc.constantFrom('/', '?', '#'), hostile, (name, separator, tail) => {
        return claim(`/t/${name}${separator}${tail.join('')}`)?.value === name;
      }),
      { numRuns: 20_000 },
    );
  });
});
