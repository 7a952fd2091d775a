import { fromSubdomain, type FromSubdomainOptions } from './from-subdomain';
import type { TenantRequest } from './tenant-resolver';

function claim(host: string, parent = 'example.com', options?: FromSubdomainOptions) {
  return fromSubdomain(parent, options)({ host } as TenantRequest);
}

describe('fromSubdomain', () => {
  it('claims the name in front of the parent', () => {
    expect(claim('acme.example.com')).toEqual({ by: 'slug', value: 'acme' });
  });

  it('works under localhost, for browsers in development', () => {
    expect(claim('acme.localhost', 'localhost')).toEqual({ by: 'slug', value: 'acme' });
  });

  it('takes the parent in any case', () => {
    expect(claim('acme.example.com', 'Example.COM')).toEqual({ by: 'slug', value: 'acme' });
  });

  it.each([
    '',
    'example.com',
    'a.b.example.com',
    'acme.example.org',
    'acmeexample.com',
    'acme.example.com.evil.org',
  ])('makes no claim for %j', (host) => {
    expect(claim(host)).toBeUndefined();
  });

  it.each(['www', 'api', 'app', 'admin', 'mail', 'static'])('leaves %s to the application', (name) => {
    expect(claim(`${name}.example.com`)).toBeUndefined();
  });

  it('leaves other names to the application when told so', () => {
    const options = { ignore: ['Docs'] };
    expect(claim('docs.example.com', 'example.com', options)).toBeUndefined();
    expect(claim('www.example.com', 'example.com', options)).toEqual({ by: 'slug', value: 'www' });
  });

  it.each(['', "o'neil", 'xn--bcher-kva', 'bã¼cher', 'a_b', 'a'.repeat(10_000)])(
    'claims a name that nobody can have, so that it is refused: %.20j',
    (value) => {
      expect(claim(`${value}.example.com`)).toEqual({ by: 'slug', value });
    },
  );

  it.each([
    '',
    '.example.com',
    'example.com.',
    '*.example.com',
    'https://example.com',
    'example.com:3000',
    'example.com/x',
    'exa mple.com',
    'bücher.example',
    'a..b',
    '-a.com',
    `${'a'.repeat(64)}.com`,
    'a.'.repeat(127) + 'aa',
  ])('refuses the parent %.40j', (parent) => {
    expect(() => fromSubdomain(parent)).toThrow(TypeError);
  });
});
