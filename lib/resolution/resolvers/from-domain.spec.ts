import fc from 'fast-check';
import { fromDomain } from './from-domain';
import { normalizeDomain } from '../../registry/domain';
import { normalizeHost } from '../http/tenant-request';
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

  it('claims of 100,000 hosts just the host, and no wildcard but that of one label more', () => {
    const resolve = fromDomain({ wildcards: true });
    const label = fc.constantFrom('a', 'acme', 'xn--bcher-kva', '*', '', '-', 'com', '1', "'", '[::1]', '\0');
    const host = fc.oneof(
      fc.domain(),
      fc.array(label, { maxLength: 5 }).map((labels) => normalizeHost(labels.join('.'))),
      fc.string({ unit: 'binary' }).map(normalizeHost),
    );
    fc.assert(
      fc.property(host, (text) => {
        const claim = resolve(at(text));
        if (text === '' || text.includes('*')) return claim === undefined;
        if (claim instanceof Promise || claim?.by !== 'domain' || claim.value !== text) return false;
        if (![undefined, text].includes(normalizeDomain(text))) return false;
        const parent = text.slice(text.indexOf('.') + 1).toLowerCase();
        return claim.wildcard === undefined || claim.wildcard === `*.${parent}`;
      }),
      { numRuns: 100_000 },
    );
  });
});
