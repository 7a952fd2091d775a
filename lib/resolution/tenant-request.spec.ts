import { normalizeHost } from './tenant-request';

describe('normalizeHost', () => {
  it.each([
    ['acme.example.com', 'acme.example.com'],
    ['ACME.Example.COM', 'acme.example.com'],
    ['acme.example.com:3000', 'acme.example.com'],
    ['acme.example.com.', 'acme.example.com'],
    ['acme.example.com.:3000', 'acme.example.com'],
    ['acme.example.com:', 'acme.example.com'],
    ['[2001:DB8::1]:3000', '[2001:db8::1]'],
    ['[::1]', '[::1]'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ["o'neil.example.com", "o'neil.example.com"],
  ])('reads %j as %j', (text, host) => {
    expect(normalizeHost(text)).toBe(host);
  });

  it('takes one trailing dot away, not two: such a host is nobody’s', () => {
    expect(normalizeHost('acme.example.com..')).toBe('acme.example.com.');
  });

  it.each([
    '',
    '.',
    ':3000',
    'a b',
    'a,b',
    'a/b',
    'user@a',
    'a?b',
    'a#b',
    'a\\b',
    'a:b',
    'a:1:2',
    '::1',
    '[::1',
    '[::1]x',
    '[zz]',
    'a\tb',
    'a\u00a0b',
  ])('has no host in %j', (text) => {
    expect(normalizeHost(text)).toBe('');
  });
});
