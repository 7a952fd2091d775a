import { fromDomain } from './from-domain';
import type { TenantRequest } from './tenant-resolver';

describe('fromDomain', () => {
  it('claims the host', () => {
    expect(fromDomain()({ host: 'shop.acme.com' } as TenantRequest)).toEqual({
      by: 'domain',
      value: 'shop.acme.com',
    });
  });

  it('makes no claim without a host', () => {
    expect(fromDomain()({ host: '' } as TenantRequest)).toBeUndefined();
  });
});
