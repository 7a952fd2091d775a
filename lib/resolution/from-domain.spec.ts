import { fromDomain } from './from-domain';
import type { TenantRequest } from './tenant-resolver';

const at = (host: string) => ({ host }) as TenantRequest;

describe('fromDomain', () => {
  it('claims the host', () => {
    expect(fromDomain()(at('shop.acme.com'))).toEqual({ by: 'domain', value: 'shop.acme.com' });
  });

  it.each(['', '*.acme.com', 'shop.*.com', '*'])('makes no claim of the host %j', (host) => {
    expect(fromDomain()(at(host))).toBeUndefined();
    expect(fromDomain({ wildcards: true })(at(host))).toBeUndefined();
  });

  it('claims the wildcard of one label beside the host, when told so', () => {
    expect(fromDomain({ wildcards: true })(at('shop.acme.com'))).toEqual({
      by: 'domain',
      value: 'shop.acme.com',
      wildcard: '*.acme.com',
    });
  });
});
