import { normalizeClaim } from './claim';

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
