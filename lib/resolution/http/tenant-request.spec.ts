import fc from 'fast-check';
import { fakeRequest } from '../../../test/support/fake-request';
import { fromHeader } from '../resolvers/from-header';
import { fromSubdomain } from '../resolvers/from-subdomain';
import { stripTenantPath } from './strip-tenant-path';
import { normalizeHost, toTenantRequest, trustIn } from './tenant-request';

/** Text as Node hands it over when it was sent as UTF-8. */
const sent = (text: string) => Buffer.from(text).toString('latin1');

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

  it.each([
    ['bücher.example.com', 'xn--bcher-kva.example.com'],
    ['BÜCHER.Example.COM.:3000', 'xn--bcher-kva.example.com'],
    ['東京。jp', 'xn--1lqs71d.jp'],
    ['аcme.example.com', 'xn--cme-5cd.example.com'],
  ])('reads %j, sent as UTF-8, as the punycode a browser would send', (text, host) => {
    expect(normalizeHost(sent(text))).toBe(host);
  });

  it.each(['acme.example.com..', 'acme.example.com..:80', sent('bücher.example..'), '..'])(
    'takes one trailing dot away, not two: %j is no host',
    (text) => {
      expect(normalizeHost(text)).toBe('');
    },
  );

  it.each([
    '',
    '.',
    ':3000',
    'a b',
    'a,b',
    'a/b',
    'user@a',
    'user:password@acme.example.com',
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
    'b\u00fccher.example',
    sent('bü cher.example'),
    sent('bü%63her.example'),
    sent('user@bücher.example'),
    sent('ü'),
    sent('\ufffd.example'),
    '\xff\xfe.example',
  ])('has no host in %j', (text) => {
    expect(normalizeHost(text)).toBe('');
  });

  it('finds in 100,000 texts only hosts, in lower case and ASCII, and never one that was not there', () => {
    const piece = fc.constantFrom(
      ...[
        'a',
        'acme',
        'ACME',
        '.',
        '.',
        '-',
        ':',
        ':80',
        '[',
        ']',
        '::1',
        '@',
        '/',
        '\\',
        '?',
        '#',
        ',',
        ' ',
        '\t',
      ],
      ...[
        '\0',
        '%',
        '%2e',
        '*',
        "'",
        'xn--',
        'xn--bcher-kva',
        sent('ü'),
        sent('。'),
        '\xff',
        '\u0130',
        'example.com',
      ],
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((all) => all.join('')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(text, (host) => {
        const found = normalizeHost(host);
        const isAscii = /^[\x20-\x7f]*$/.test(host);
        const isHost = /^(?:\[[\da-f:.]+\]|[^\s:/?#@,\\[\]]*)$/.test(found) && found === found.toLowerCase();
        return isHost && !/[^\0-\x7f]/.test(found) && (!isAscii || host.toLowerCase().startsWith(found));
      }),
      { numRuns: 100_000 },
    );
  });

  it('and fromSubdomain claims, of 100,000 hosts, only what stands in front of the parent', () => {
    const label = fc.constantFrom(
      'a',
      'acme',
      '',
      '-',
      '*',
      'xn--a',
      'www',
      'example',
      'com',
      'example.com',
      "'",
      '\0',
    );
    const resolve = fromSubdomain('example.com');
    fc.assert(
      fc.property(
        fc.array(label, { maxLength: 5 }),
        fc.constantFrom('', '.example.com', 'example.com'),
        (labels, end) => {
          const host = labels.join('.') + end;
          const claim = resolve(toTenantRequest(fakeRequest('/', ['Host', host])));
          if (claim === undefined) return true;
          return (
            'value' in claim &&
            !claim.value.includes('.') &&
            host.replace(/\.$/, '') === `${claim.value}.example.com`
          );
        },
      ),
      { numRuns: 100_000 },
    );
  });
});

describe('a header', () => {
  const read = (headers: string[], name: string) => toTenantRequest(fakeRequest('/', headers)).header(name);

  it.each(['X-Tenant-ID', 'Authorization', 'From', 'Referer'])(
    'sent twice comes out joined, of which Node itself keeps only the first: %s',
    (name) => {
      expect(read([name, 'acme'], name)).toBe('acme');
      expect(read([name, 'acme', 'Accept', '*/*', name.toUpperCase(), 'globex'], name)).toBe('acme, globex');
    },
  );

  it('sent twice names nobody, with one value too', () => {
    const request = toTenantRequest(fakeRequest('/', ['From', 'acme', 'From', 'acme']));
    expect(fromHeader('from')(request)).toEqual({ by: 'slug', value: 'acme, acme' });
  });
});

describe('a request that names its host in several places', () => {
  const host = (target: string, headers: string[], more: Parameters<typeof fakeRequest>[2] = {}) =>
    toTenantRequest(fakeRequest(target, headers, more)).host;
  const ACME = ['Host', 'acme.example'];

  it.each([
    ['http://acme.example/', ACME],
    ['HTTP://ACME.example.:3000/orders?page=2', ACME],
    ['https://acme.example', ACME],
    ['http://acme.example?page=2', ['host', 'Acme.Example:80']],
    ['http://acme.example/', []],
    ['http://acme.example/', ['Accept', '*/*', ':authority', 'acme.example']],
    ['/', [':authority', 'acme.example', 'host', 'ACME.example:443']],
    ['//globex.example/', ACME],
    ['*', ACME],
  ])('has it when they agree: %s with %j', (target, headers) => {
    expect(host(target, headers)).toBe('acme.example');
  });

  it.each([
    ['http://globex.example/', ACME],
    ['http://acme.example.globex.example/', ACME],
    ['http://user@acme.example/', ACME],
    ['http://acme.example:80@globex.example/', ACME],
    ['http://acme.example:3000:1/', ACME],
    ['http:///orders', ACME],
    ['http:/acme.example/', ACME],
    ['http://acme.example\\@globex.example/', ACME],
    ['ftp://acme.example/', ACME],
    ['acme.example:443', ACME],
    ['orders', ACME],
    ['/', [':authority', 'globex.example', 'host', 'acme.example']],
    ['http://acme.example/', [...ACME, 'HOST', 'acme.example']],
    ['http://acme.example/', ['Host', '']],
    ['/', ['Host', 'acme.example:80@globex.example']],
  ])('has none when they do not, or one is malformed: %s with %j', (target, headers) => {
    expect(host(target, headers)).toBe('');
    // Whatever the platform has made of it.
    for (const hostname of ['acme.example', 'globex.example'])
      expect(host(target, headers, { hostname })).toBe('');
  });

  it('has none even when a trusted proxy names one: the proxy may have gone by the other', () => {
    const headers = ['Host', 'acme.example', 'X-Forwarded-Host', 'shop.example'];
    const read = (target: string) =>
      toTenantRequest(fakeRequest(target, headers, { remoteAddress: '127.0.0.1' }), trustIn(['loopback']))
        .host;
    expect(read('http://acme.example/')).toBe('shop.example');
    expect(read('http://globex.example/')).toBe('');
  });

  it('is read by its target as it was sent, not as a router has shortened it', () => {
    const request = fakeRequest('http://globex.example/t/acme/orders', ACME, { originalUrl: undefined });
    stripTenantPath()(request, undefined, () => {});
    expect(request.url).toBe('/orders');
    expect(toTenantRequest(request).host).toBe('');
    expect(host('/orders', ACME, { originalUrl: 'http://globex.example/orders' })).toBe('');
  });

  it('has, of 100,000 of them, a host that all places name, or none', () => {
    const name = fc.constantFrom('acme.example', 'ACME.example:80', 'acme.example.', 'globex.example', '');
    const target = fc.oneof(
      name.map((each) => ['http://', each, '/x'].join('')),
      fc.constant('/x'),
    );
    const named = fc.array(fc.tuple(fc.constantFrom('Host', ':authority'), name), { maxLength: 2 });
    fc.assert(
      fc.property(target, fc.uniqueArray(named, { maxLength: 1 }), name, (url, [pairs = []], hostname) => {
        const places: string[] = pairs.map(([, each]) => each);
        if (url.startsWith('http')) places.push(url.slice('http://'.length, -'/x'.length));
        const found = host(url, pairs.flat(), { hostname: places.length > 0 ? places[0] : hostname });
        if (places.length === 0) return found === normalizeHost(hostname);
        return found === '' || places.every((each) => normalizeHost(each) === found);
      }),
      { numRuns: 100_000 },
    );
  });
});

describe('trusted proxies', () => {
  const trust = trustIn(['loopback', '10.0.0.0/8', '2001:db8::/32']);

  function host(forwarded: string[], remoteAddress: string | undefined = '10.1.2.3') {
    const headers = ['Host', 'own.example', ...forwarded.flatMap((value) => ['X-Forwarded-Host', value])];
    // What the platform believes does not count.
    const request = fakeRequest('/', headers, { remoteAddress, hostname: 'platform.example', ip: '9.9.9.9' });
    return toTenantRequest(request, trust).host;
  }

  it.each(['10.1.2.3', '127.0.0.1', '::1', '::ffff:10.1.2.3', '2001:db8::5'])(
    'at %s say the host',
    (address) => {
      expect(host(['Shop.Acme.com:443'], address)).toBe('shop.acme.com');
    },
  );

  it.each(['11.1.2.3', '192.168.0.1', '::ffff:11.1.2.3', '2001:db9::5', '', 'garbage', undefined])(
    'are not those at %s: the Host header stays',
    (address) => {
      const request = fakeRequest('/', ['Host', 'own.example', 'X-Forwarded-Host', 'shop.acme.com'], {
        remoteAddress: address,
        hostname: 'shop.acme.com',
      });
      expect(toTenantRequest(request, trust).host).toBe('own.example');
    },
  );

  it.each([
    ['nothing', [], 'own.example'],
    ['nothing but a header', [''], 'own.example'],
    ['one host twice', ['shop.acme.com, shop.acme.com'], 'shop.acme.com'],
    ['several hosts', ['shop.acme.com, shop.globex.com'], ''],
    ['several hosts in two headers', ['shop.acme.com', 'shop.globex.com'], ''],
    ['a host and nothing', ['shop.acme.com,'], ''],
    ['a comma', [','], ''],
    ['a URL', ['http://shop.acme.com'], ''],
    ['a user', ['acme@shop.globex.com'], ''],
    ['a path', ['shop.acme.com/x'], ''],
    ['an IPv6 address', ['[2001:db8::1]:80'], '[2001:db8::1]'],
    ['an IDN', [sent('bücher.example')], 'xn--bcher-kva.example'],
    ['white space', [' '], ''],
  ])('that say %s', (_what, forwarded, expected) => {
    expect(host(forwarded)).toBe(expected);
  });

  it('say, of 100,000 headers, one host that is in all of them, or none', () => {
    const said = fc.constantFrom(
      'a.example',
      'A.example:80',
      'b.example',
      '',
      ' ',
      'x@a.example',
      '[::1]',
      '\0',
    );
    const headers = fc.array(
      fc.array(said, { minLength: 1, maxLength: 3 }).map((hosts) => hosts.join(',')),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(headers, fc.boolean(), (values, isTrusted) => {
        const found = host(values, isTrusted ? '10.1.2.3' : '11.1.2.3');
        const hosts = new Set(
          values
            .join(',')
            .split(',')
            .map((each) => each.trim()),
        );
        const [only = ''] = hosts;
        if (!isTrusted || values.join(', ') === '') return found === 'own.example';
        return found === (hosts.size === 1 ? normalizeHost(only) : '');
      }),
      { numRuns: 100_000 },
    );
  });

  it('of an empty list are none', () => {
    const request = fakeRequest('/', ['Host', 'own.example', 'X-Forwarded-Host', 'shop.acme.com'], {
      remoteAddress: '127.0.0.1',
      hostname: 'shop.acme.com',
    });
    expect(toTenantRequest(request, trustIn([])).host).toBe('own.example');
  });

  it('say the address of the caller: the nearest one that is not theirs', () => {
    const from = (remoteAddress: string, forwarded: string) =>
      toTenantRequest(
        fakeRequest('/', ['X-Forwarded-For', forwarded], { remoteAddress, ip: '9.9.9.9' }),
        trust,
      ).ip;
    expect(from('10.1.2.3', '1.1.1.1, 2.2.2.2, 10.9.9.9')).toBe('2.2.2.2');
    expect(from('3.3.3.3', '1.1.1.1')).toBe('3.3.3.3');
  });

  it('are those of the platform without a list of ours', () => {
    const request = fakeRequest('/', ['Host', 'own.example'], { hostname: 'shop.acme.com', ip: '9.9.9.9' });
    expect(toTenantRequest(request)).toMatchObject({ host: 'shop.acme.com', ip: '9.9.9.9' });
  });
});
