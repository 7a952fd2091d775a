import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts the body, in base64, so that only a caller with `secret` can read it. The secret is the credential that came
 * with the request, which the database never holds. `salt` ties the result to the request.
 */
export function sealAnswer(body: unknown, secret: string, salt: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(secret, salt), iv);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(body)), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

/**
 * The decrypted body; `undefined` when it was sealed with another secret, because the key or token was replaced in the
 * meantime.
 */
export function openAnswer(sealed: string, secret: string, salt: Buffer): unknown {
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv(CIPHER, keyOf(secret, salt), bytes.subarray(0, IV_BYTES));
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  const rest = bytes.subarray(IV_BYTES + TAG_BYTES);
  try {
    return JSON.parse(Buffer.concat([decipher.update(rest), decipher.final()]).toString());
  } catch {
    return undefined;
  }
}

function keyOf(secret: string, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, 'nestjs-tenancy answer', KEY_BYTES));
}
