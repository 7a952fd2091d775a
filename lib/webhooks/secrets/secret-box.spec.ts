import { randomBytes } from 'node:crypto';
import { SecretBox } from './secret-box';

const keys = { old: randomBytes(32).toString('base64'), new: randomBytes(32).toString('base64') };
const box = new SecretBox(keys, 'old');
const boxed = box.close('whsec_abc', 'row');

it('opens what it has closed, in another instance and with a further key, too', () => {
  expect(box.open(boxed, 'row')).toBe('whsec_abc');
  expect(new SecretBox(keys, 'new').open(boxed, 'row')).toBe('whsec_abc');
});

it('shows nothing of a secret, and never the same bytes twice', () => {
  expect(boxed.keyId).toBe('old');
  expect(boxed.ciphertext.includes('whsec')).toBe(false);
  expect(box.close('whsec_abc', 'row').ciphertext).not.toEqual(boxed.ciphertext);
});

const changed = (at: number): Buffer => {
  const bytes = Buffer.from(boxed.ciphertext);
  bytes[at] ^= 1;
  return bytes;
};

it.each([
  ['of another row', boxed, 'other row'],
  ['with a changed byte', { ...boxed, ciphertext: changed(30) }, 'row'],
  ['with a changed tag', { ...boxed, ciphertext: changed(15) }, 'row'],
  ['that was cut off', { ...boxed, ciphertext: boxed.ciphertext.subarray(0, 20) }, 'row'],
  ['that is empty', { ...boxed, ciphertext: Buffer.alloc(0) }, 'row'],
  ['of another key by that id', { ...boxed, keyId: 'new' }, 'row'],
  ['of a key that is gone', { ...boxed, keyId: 'lost' }, 'row'],
])('refuses one %s, and names the key', (_what, secret, row) => {
  expect(() => box.open(secret, row)).toThrow(
    expect.objectContaining({ code: 'WEBHOOK_SECRET_UNREADABLE', keyId: secret.keyId }),
  );
});
