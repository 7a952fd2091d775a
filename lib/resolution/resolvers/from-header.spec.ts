import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { fakeRequest } from '../../../test/support/fake-request';
import { fromHeader } from './from-header';
import { isUuid } from '../../registry/claim';
import { toTenantRequest } from '../http/tenant-request';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

/** The claim of a request with these headers, as Node hands them over. */
function claim(headers: Record<string, string>, name = 'x-tenant-id') {
  const raw = { headers, rawHeaders: [], url: '/', socket: {} } as unknown as IncomingMessage;
  return fromHeader(name)(toTenantRequest(raw));
}

describe('fromHeader', () => {
  it('claims a slug', () => {
    expect(claim({ 'x-tenant-id': 'acme' })).toEqual({ by: 'slug', value: 'acme' });
  });

  it.each([ID, ID.toUpperCase()])('claims an id for a value shaped like a uuid: %s', (value) => {
    expect(claim({ 'x-tenant-id': value })).toEqual({ by: 'id', value });
  });

  it('finds the header by its name in any case', () => {
    expect(claim({ 'x-tenant-id': 'acme' }, 'X-Tenant-ID')).toEqual({ by: 'slug', value: 'acme' });
  });

  it('makes no claim without the header', () => {
    expect(claim({})).toBeUndefined();
  });

  it.each(['constructor', '__proto__', 'toString'])('makes no claim of what objects inherit: %s', (name) => {
    expect(claim({}, name)).toBeUndefined();
  });

  it.each(['', 'acme, globex', 'ACME', "acme'"])('takes a value as it is: %j', (value) => {
    expect(claim({ 'x-tenant-id': value })).toEqual({ by: 'slug', value });
  });

  it.each(['', 'x tenant', 'x-tenant:', 'x-tenänt', 'x\r\ny'])('refuses the name %j', (name) => {
    expect(() => fromHeader(name)).toThrow(TypeError);
  });

  it('reads 100,000 lists of headers without a crash, and claims just what the one of its name says', () => {
    const resolve = fromHeader('X-Tenant-ID');
    const name = fc.oneof(
      fc.constantFrom('X-Tenant-ID', 'x-tenant-id', 'X-Tenant', 'Host', 'constructor', '__proto__'),
      fc.stringMatching(/^[A-Za-z-]{1,4}$/),
    );
    const value = fc.oneof(fc.constantFrom('acme', ID, '', 'acme, globex'), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), (headers) => {
        const own = headers.flatMap(([key, text]) => (key.toLowerCase() === 'x-tenant-id' ? [text] : []));
        const found = resolve(toTenantRequest(fakeRequest('/', headers.flat())));
        if (own.length === 0) return found === undefined;
        if (found === undefined || found instanceof Promise) return false;
        return found.by === (isUuid(found.value) ? 'id' : 'slug') && found.value === own.join(', ');
      }),
      { numRuns: 100_000 },
    );
  });
});
