import { CallableAddresses } from './callable-addresses';
import { urlProblem } from './webhook-url';

const addresses = new CallableAddresses({ allowed: [], refused: [] });
const problem = (url: string, { ports = [443], allowHttp = false } = {}) =>
  urlProblem(url, { addresses, ports, allowHttp });

it.each([
  'https://example.com/hooks?token=a',
  'https://example.com.',
  'https://bücher.example/ä',
  'https://93.184.215.14/',
  'https://[2606:4700::1111]/',
])('takes %s', (url) => expect(problem(url)).toBeUndefined());

it.each([
  [
    'no URL',
    'must be a URL',
    'example.com/hooks',
    '',
    'https://',
    'https://a b/',
    'https://exa\u0000mple.com',
  ],
  [
    'another protocol',
    'must begin with https://',
    'http://example.com',
    'ftp://example.com',
    'file:///etc/passwd',
  ],
  ['a login', 'no user and no password', 'https://me:secret@example.com', 'https://me@example.com'],
  [
    'a login that looks like a host',
    'no user',
    'https://example.com@127.0.0.1/',
    'https://example.com%2f@a.b/',
  ],
  ['a fragment', 'no fragment', 'https://example.com/#a'],
  ['another port', 'one of these ports: 443', 'https://example.com:22/', 'https://example.com:8443/'],
  ['a long URL', 'at most 2048', `https://example.com/${'a'.repeat(2_048)}`],
  ['a decimal address', 'not public', 'https://2130706433/', 'https://3232235777/'],
  ['an octal one', 'not public', 'https://0177.0.0.1/', 'https://017700000001/'],
  ['a hexadecimal one', 'not public', 'https://0x7f.1/', 'https://0x7f000001/', 'https://0xa9fea9fe/'],
  ['a short one', 'not public', 'https://127.1/', 'https://0/'],
  ['one with a dot at its end', 'not public', 'https://127.0.0.1./', 'https://0x7f.1./'],
  [
    'one in other digits',
    'not public',
    'https://①②⑦.0.0.1/',
    'https://１２７。0。0。1/',
    'https://%31%32%37.0.0.1/',
  ],
  ['this machine by name', 'not public', 'https://localhost/', 'https://LOCALHOST./', 'https://a.localhost/'],
  [
    'one of IPv6',
    'not public',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
  ],
])('refuses %s', (_mistake, said, ...urls) => {
  for (const url of urls) expect([url, problem(url)]).toEqual([url, expect.stringContaining(said)]);
});

it('takes plain http and other ports where the application does', () => {
  const rules = { allowHttp: true, ports: [80, 3_000] };
  expect(problem('http://example.com/', rules)).toBeUndefined();
  expect(problem('http://example.com:3000/', rules)).toBeUndefined();
  expect(problem('https://example.com/', rules)).toContain('ports: 80, 3000');
  expect(problem('ftp://example.com/', rules)).toContain('https:// or http://');
});
