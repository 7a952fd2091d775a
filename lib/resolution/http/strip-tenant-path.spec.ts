import fc from 'fast-check';
import { fakeRequest } from '../../../test/support/fake-request';
import { fromPath } from '../resolvers/from-path';
import { stripTenantPath } from './strip-tenant-path';
import type { TenantPathOptions } from '../resolvers/tenant-path';
import { toTenantRequest } from './tenant-request';

/** What is left of a URL, as middleware and as Fastify's rewriteUrl. */
function stripped(url: string, options?: TenantPathOptions): string {
  const request = fakeRequest(url);
  let calls = 0;
  stripTenantPath(options)(request, undefined, () => calls++);
  expect(calls).toBe(1);
  expect(stripTenantPath(options)(fakeRequest(url))).toBe(request.url);
  return request.url as string;
}

describe('stripTenantPath', () => {
  it.each([
    ['/t/acme/orders?page=2', '/orders?page=2'],
    ['/t/acme', '/'],
    ['/t/acme/', '/'],
    ['/t/acme?page=2', '/?page=2'],
    ['/t/acme/t/globex/orders', '/t/globex/orders'],
    ['/t/nobody!/orders', '/orders'],
    ['/t//orders', '/orders'],
    ['http://example.com/t/acme/orders', '/orders'],
    ['/orders', '/orders'],
    ['/t', '/t'],
    ['/', '/'],
    ['*', '*'],
    ['/%74/acme/orders', '/%74/acme/orders'],
  ])('makes of %s %s', (url, rest) => {
    expect(stripped(url)).toBe(rest);
  });

  it('takes away another prefix, or none', () => {
    expect(stripped('/api/t/acme/orders', { prefix: '/api/t' })).toBe('/orders');
    expect(stripped('/acme/orders', { prefix: '/' })).toBe('/orders');
  });

  it('keeps the URL for resolvers, also when it is used twice or a framework overwrites originalUrl', () => {
    const request = fakeRequest('/t/acme/t/globex/orders');
    stripTenantPath()(request, undefined, () => {});
    stripTenantPath()(request, undefined, () => {});
    Object.assign(request, { originalUrl: request.url });
    expect(request.url).toBe('/orders');
    expect(toTenantRequest(request).url).toBe('/t/acme/t/globex/orders');
    expect(fromPath()(toTenantRequest(request))).toEqual({ by: 'slug', value: 'acme' });
  });

  it('keeps the whole URL where it is mounted under a path', () => {
    const request = fakeRequest('/t/acme/orders', [], { originalUrl: '/api/t/acme/orders' });
    stripTenantPath()(request, undefined, () => {});
    expect(toTenantRequest(request).url).toBe('/api/t/acme/orders');
  });

  it('refuses a prefix that is none', () => {
    expect(() => stripTenantPath({ prefix: 't' })).toThrow(
      "stripTenantPath() cannot work:\n- prefix is 't': give the path in front of the tenant",
    );
  });

  it('leaves 100,000 URLs as they are, or a path behind what names the tenant, and never throws', () => {
    const piece = fc.constantFrom(
      '/',
      '/t/',
      't',
      '%74',
      '%',
      '\\',
      '?',
      '#',
      'acme',
      '..',
      'http://h',
      '\0',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const url = pieces.join('');
        const rest = stripTenantPath()(fakeRequest(url));
        if (rest === url) return true;
        const isItsEnd = rest.startsWith('/') && (url.endsWith(rest) || url.endsWith(rest.slice(1)));
        return isItsEnd && fromPath()(toTenantRequest(fakeRequest(url))) !== undefined;
      }),
      { numRuns: 100_000 },
    );
  });
});
