import fc from 'fast-check';
import { normalizeDomain, normalizeWildcard } from './domain';

describe('a domain', () => {
  it.each([
    ['acme.example', 'acme.example'],
    ['Shop.ACME.Example', 'shop.acme.example'],
    ['acme.example.', 'acme.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    ['東京。jp', 'xn--1lqs71d.jp'],
    ['ａcme.example', 'acme.example'],
    ['1.2.example', '1.2.example'],
    ['a.xn--p1ai', 'a.xn--p1ai'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ])('%s is kept as %s', (input, domain) => {
    expect(normalizeDomain(input)).toBe(domain);
  });

  it('looks different from its look-alike', () => {
    expect(normalizeDomain('аcme.example')).toBe('xn--cme-5cd.example');
  });

  it.each([
    '',
    '.',
    'localhost',
    'acme.',
    '.acme.example',
    'acme..example',
    'acme.example..',
    '-acme.example',
    'acme-.example',
    'ac_me.example',
    'ac me.example',
    'acme.example:443',
    'http://acme.example',
    'acme.example/path',
    'acme.example?',
    'acme.example#',
    'user@acme.example',
    '*.acme.example',
    '%61cme.example',
    'acme.example\0',
    'acme\n.example',
    "acme'.example",
    '"acme.example"',
    'xn--a.example',
    '\ud800.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(125)}abcde`,
    'a.'.repeat(5_120),
  ])('may not be %j', (input) => {
    expect(normalizeDomain(input)).toBeUndefined();
  });

  it.each([
    '127.0.0.1',
    '127.1.',
    '0x7f.1',
    '1.2.3',
    '１２７.0.0.1',
    '0300.0250.1',
    'a.1',
    'a.0x1',
    '::1',
    '[::1]',
    '::ffff:1.2.3.4',
  ])('may not be the IP address %s', (input) => {
    expect(normalizeDomain(input)).toBeUndefined();
  });

  it.each([undefined, null, 1, {}, ['acme.example']])('may not be the value %p', (value) => {
    expect(normalizeDomain(value)).toBeUndefined();
  });

  it('may have 253 characters, and a dot after them', () => {
    const longest = `${'a.'.repeat(125)}abc`;
    expect(longest).toHaveLength(253);
    expect(normalizeDomain(longest)).toBe(longest);
    expect(normalizeDomain(`${longest}.`)).toBe(longest);
  });

  it('is normalised once and for all, to what a browser would call the host: of 100,000 texts', () => {
    const likely = fc.stringMatching(/^[a-zA-Z0-9.\-äß東。]{1,40}$/u);
    fc.assert(
      fc.property(fc.oneof(fc.domain(), likely, fc.string({ unit: 'binary' })), (input) => {
        const domain = normalizeDomain(input);
        const upper = input.toUpperCase();
        if (normalizeDomain(upper) !== normalizeDomain(upper.toLowerCase())) return false;
        if (domain === undefined) return true;
        return (
          /^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/.test(domain) &&
          normalizeDomain(domain) === domain &&
          new URL(`http://${domain}/`).hostname === domain
        );
      }),
      { numRuns: 100_000 },
    );
  });

  it('is every host name that the DNS knows', () => {
    fc.assert(fc.property(fc.domain(), (domain) => normalizeDomain(domain) === domain.toLowerCase()));
  });
});

describe('a wildcard domain', () => {
  it.each([
    ['*.acme.example', '*.acme.example'],
    ['*.Shop.Bücher.Example.', '*.shop.xn--bcher-kva.example'],
    ['*.shop.co.uk', '*.shop.co.uk'],
    ['*.co.example', '*.co.example'],
    ['*.acme.uk', '*.acme.uk'],
  ])('%s is kept as %s', (input, domain) => {
    expect(normalizeWildcard(input)).toBe(domain);
    expect(normalizeWildcard(domain)).toBe(domain);
  });

  it.each([
    '*',
    '*.',
    '*.com',
    '*.localhost',
    '*.co.uk',
    '*.COM.AU.',
    '*.org.br',
    'acme.example',
    '*acme.example',
    'shop.*.example',
    '*.*.acme.example',
    '**.acme.example',
    ' *.acme.example',
    '*.acme.example:443',
    '*.127.0.0.1',
    '*.a.1',
    '＊.acme.example',
    '*.acme.example\0',
    `*.${'a.'.repeat(124)}abcd`,
    undefined,
    ['*.acme.example'],
  ])('may not be %p', (input) => {
    expect(normalizeWildcard(input)).toBeUndefined();
  });

  it('is never a host name, nor a host name one', () => {
    expect(normalizeDomain('*.acme.example')).toBeUndefined();
    fc.assert(fc.property(fc.domain(), (domain) => normalizeWildcard(domain) === undefined));
  });
});
