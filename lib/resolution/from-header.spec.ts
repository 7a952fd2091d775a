import type { IncomingMessage } from 'node:http';
import { fromHeader } from './from-header';
import { toTenantRequest } from './tenant-request';

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
});
