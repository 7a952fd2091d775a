import fc from 'fast-check';
import { DEFAULT_RESERVED_SLUGS, isSlug, isUuid, normalizeClaim } from './claim';

it('spells a claim as the registry spells its names', () => {
  expect(normalizeClaim({ by: 'slug', value: 'acme' })).toEqual({ by: 'slug', value: 'acme' });
  expect(normalizeClaim({ by: 'id', value: 'ABCDEF01-2345-7890-ABCD-EF0123456789' })).toEqual({
    by: 'id',
    value: 'abcdef01-2345-7890-abcd-ef0123456789',
  });
  expect(normalizeClaim({ by: 'domain', value: 'Acme.Example.' })).toEqual({
    by: 'domain',
    value: 'acme.example',
  });
  expect(normalizeClaim({ by: 'domain', value: '*.Acme.Example.' })).toEqual({
    by: 'domain',
    value: '*.acme.example',
  });
});

it.each([
  ['slug', 'ACME'],
  ['slug', '01900000-0000-7000-8000-000000000001'],
  ['id', 'acme'],
  ['domain', 'acme'],
  ['domain', '127.0.0.1'],
  ['domain', '*.com'],
] as const)('makes nothing of the %s %s', (by, value) => {
  expect(normalizeClaim({ by, value })).toBeUndefined();
});

describe('an id', () => {
  it.each(['01900000-0000-7000-8000-000000000001', 'ABCDEF01-2345-7890-ABCD-EF0123456789'])(
    '%s is a uuid',
    (value) => {
      expect(isUuid(value)).toBe(true);
    },
  );

  it.each([
    '',
    '01900000000070008000000000000001',
    '{01900000-0000-7000-8000-000000000001}',
    ' 01900000-0000-7000-8000-000000000001',
    '01900000-0000-7000-8000-000000000001\n',
    '01900000-0000-7000-8000-00000000000g',
    '01900000-0000-7000-8000-0000000000011',
    '０1900000-0000-7000-8000-000000000001',
    undefined,
    null,
    1,
    ['01900000-0000-7000-8000-000000000001'],
  ])('%j is none', (value) => {
    expect(isUuid(value)).toBe(false);
  });
});

describe('a slug', () => {
  it.each(['a', 'acme', 'a1', 'acme-2', 'a-b-c', 'a--b', 'abc---d', 'xn-a', 'a'.repeat(60), 'deadbeef'])(
    'may be %s',
    (slug) => {
      expect(isSlug(slug)).toBe(true);
    },
  );

  it.each([
    '',
    'a'.repeat(61),
    'a'.repeat(10_240),
    'Acme',
    '1acme',
    '-acme',
    'acme-',
    'ac me',
    'ac_me',
    'acme.example',
    'acme\n',
    'acme\0',
    "acme'",
    'acmé',
    'асme',
    'ａcme',
    'acme\u200b',
  ])('may not be %j', (value) => {
    expect(isSlug(value)).toBe(false);
  });

  it('may not look like punycode', () => {
    expect(isSlug('xn--bcher-kva')).toBe(false);
    expect(isSlug('ab--cd')).toBe(false);
  });

  it('may not look like a uuid, which is read as an id', () => {
    expect(isSlug('abcdef01-2345-7890-abcd-ef0123456789')).toBe(false);
    expect(isSlug('abcdef01-2345-7890-abcd-ef012345678')).toBe(true);
  });

  it.each([undefined, null, 1, {}, ['acme'], new String('acme')])('may not be the value %p', (value) => {
    expect(isSlug(value)).toBe(false);
  });

  it('can be a host label as it is', () => {
    const likely = fc.stringMatching(/^[a-z0-9-]{1,62}$/);
    fc.assert(
      fc.property(fc.oneof(likely, fc.string()), (value) => {
        if (isSlug(value)) expect(new URL(`http://${value}.example`).hostname).toBe(`${value}.example`);
      }),
    );
  });

  it('could be any of the reserved words, which are refused by option', () => {
    expect(DEFAULT_RESERVED_SLUGS).toEqual(['www', 'api', 'app', 'admin', 'mail', 'static']);
    expect(DEFAULT_RESERVED_SLUGS.every(isSlug)).toBe(true);
  });
});
