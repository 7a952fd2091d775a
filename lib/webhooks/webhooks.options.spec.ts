import { randomBytes } from 'node:crypto';
import { checkOptions } from '../common/options/check-options';
import { InvalidWebhooksOptionsError } from './webhooks.errors';
import { CheckedWebhooksOptions } from './webhooks.options';

const check = (options: unknown) =>
  checkOptions(CheckedWebhooksOptions, options, InvalidWebhooksOptionsError);

const KEY = randomBytes(32).toString('base64');

it('encrypts with the only key, or with the one that is named', () => {
  expect(check({ encryptionKeys: { 'k.2026': KEY } }).encryptionKeyId).toBe('k.2026');
  const encryptionKeys = { old: KEY, new: randomBytes(32).toString('base64') };
  expect(check({ encryptionKeys, encryptionKeyId: 'new' }).encryptionKeyId).toBe('new');
});

it.each<[string, unknown, string]>([
  ['no options', undefined, 'encryptionKeys is missing'],
  ['no keys', { encryptionKeys: {} }, 'encryptionKeys is empty'],
  ['a list', { encryptionKeys: [KEY] }, 'encryptionKeys is not an object'],
  [
    'a short key',
    { encryptionKeys: { a: KEY.slice(4) } },
    'encryptionKeys.a cannot be a key: give 32 random',
  ],
  ['a word', { encryptionKeys: { a: 'a'.repeat(44) } }, 'encryptionKeys.a cannot be a key'],
  ['a number', { encryptionKeys: { a: 5 } }, 'encryptionKeys.a cannot be a key'],
  ['a key in the place of its id', { encryptionKeys: { [KEY]: 'a' } }, 'has a bad id at place 1'],
  ['several without a choice', { encryptionKeys: { a: KEY, b: KEY } }, 'encryptionKeyId is missing'],
  ['a choice of none', { encryptionKeys: { a: KEY }, encryptionKeyId: 'b' }, 'encryptionKeyId is no id'],
])('refuses %s, and shows no key', (_mistake, options, said) => {
  expect(() => check(options)).toThrow(said);
  expect(() => check(options)).not.toThrow(KEY);
});
