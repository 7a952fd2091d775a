import { hash } from 'node:crypto';

/** HMAC-SHA-256 of a text in UTF-8, in base64url. */
export type Mac = (text: string) => string;

/** Bytes of SHA-256's blocks, and of what comes out. */
const BLOCK = 64;
const DIGEST = 32;

/** Characters of the texts for which there is room already; one takes three bytes at most. Tokens are shorter. */
const USUAL_LENGTH = 512;

/**
 * The HMAC under a secret (RFC 2104), with what depends on the secret alone done once. It makes no objects that hold memory outside
 * of the heap, as `createHmac()` and digests in buffers do: with thousands of jobs a second, collecting them takes longer
 * than hashing.
 */
export function macOf(secret: string): Mac {
  const given = Buffer.from(secret);
  const key = given.length > BLOCK ? hash('sha256', given, 'buffer') : given;
  const inner = Buffer.alloc(BLOCK + 3 * USUAL_LENGTH);
  const outer = Buffer.alloc(BLOCK + DIGEST);
  for (let index = 0; index < BLOCK; index++) {
    inner[index] = (key[index] ?? 0) ^ 0x36;
    outer[index] = (key[index] ?? 0) ^ 0x5c;
  }
  return (text) => {
    const bytes =
      text.length > USUAL_LENGTH
        ? Buffer.concat([inner.subarray(0, BLOCK), Buffer.from(text)])
        : inner.subarray(0, BLOCK + inner.write(text, BLOCK));
    outer.write(hash('sha256', bytes, 'hex'), BLOCK, 'hex');
    return hash('sha256', outer, 'base64url');
  };
}
