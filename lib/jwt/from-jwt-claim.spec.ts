import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { fromJwtClaim } from './from-jwt-claim';
import type { FromJwtClaimOptions } from './jwt.options';

const SECRET = 's'.repeat(32);
const REMOTE = { jwksUri: 'https://id.example/keys', issuer: 'https://id.example', audience: 'shop' };

const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey;

/** Why options were refused; `undefined` when they were not. */
function refusal(options: unknown): string | undefined {
  try {
    fromJwtClaim(options as FromJwtClaimOptions);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
}

describe('fromJwtClaim', () => {
  it('reads a credential', () => {
    expect(fromJwtClaim({ claim: 'tenant', secret: SECRET }).credential).toBe(true);
  });

  it.each<[string, Partial<FromJwtClaimOptions>]>([
    ['a secret', { secret: SECRET }],
    ['a secret of bytes', { secret: Buffer.from(SECRET) }],
    [
      'a longer secret for a longer hash',
      { secret: 's'.repeat(64), algorithms: ['HS256', 'HS384', 'HS512'] },
    ],
    ['a PEM', { key: pemOf(rsa.publicKey) }],
    ['a JWK', { key: rsa.publicKey.export({ format: 'jwk' }) }],
    ['a KeyObject', { key: ec('prime256v1') }],
    ['an Ed25519 key', { key: generateKeyPairSync('ed25519').publicKey, algorithms: ['EdDSA'] }],
    ['a private key, whose public half verifies', { key: rsa.privateKey }],
    ['a key set', REMOTE],
    ['an issuer alone', { issuer: 'https://id.example', audience: 'shop' }],
    [
      'an issuer whose tokens are all for this application',
      { issuer: 'https://id.example', audience: false },
    ],
    [
      'all other options',
      { ...REMOTE, by: 'id', requireClaim: true, typ: 'at+jwt', header: 'x-token', scheme: '' },
    ],
  ])('takes %s', (_what, options) => {
    expect(refusal({ claim: 'tenant', ...options })).toBeUndefined();
  });

  it('takes a CryptoKey', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const { publicKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    expect(refusal({ claim: 'tenant', key: publicKey })).toBeUndefined();
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no claim', { claim: undefined, secret: SECRET }, '- claim is '],
    ['an empty claim', { claim: '', secret: SECRET }, '- claim is '],
    ['a claim with a hole', { claim: 'org..tenant', secret: SECRET }, '- claim is '],
    ['an empty path', { claim: [], secret: SECRET }, '- claim is '],
    ['a claim by domain', { by: 'domain', secret: SECRET }, "by is 'domain': say 'slug' or 'id'"],
    [
      'nothing to verify with',
      {},
      'key, secret, jwksUri are missing: give one of them, or the URL of an issuer alone',
    ],
    [
      'two ways to verify',
      { secret: SECRET, key: rsa.publicKey },
      'key, secret, jwksUri are several: give one of them',
    ],
    ['a secret that is not set', { ...REMOTE, jwksUri: undefined, secret: undefined }, 'secret is undefined'],
    ['a key that is not set', { key: undefined, secret: SECRET }, 'key is undefined'],
    ['a short secret', { secret: 'secret' }, 'secret has 6 bytes: HS256 needs at least 32'],
    ['an empty secret', { secret: '' }, 'secret has 0 bytes'],
    ['a short secret for HS512', { secret: SECRET, algorithms: ['HS512'] }, 'HS512 needs at least 64'],
    ['a number as secret', { secret: 5 }, 'secret is of type number: give text or bytes'],
    [
      'a public key as secret',
      { secret: pemOf(rsa.publicKey) },
      'secret is a PEM: give a public key as `key`',
    ],
    ['a secret as key', { key: SECRET }, 'key cannot be used: give a public key as PEM'],
    [
      'a secret KeyObject as key',
      { key: createSecretKey(Buffer.from(SECRET)) },
      'it is a secret: give it as `secret`',
    ],
    ['a secret JWK as key', { key: { kty: 'oct', k: 'AAAA' } }, 'key cannot be used: give a public key'],
    [
      'a broken PEM',
      { key: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----' },
      'key cannot be used: give a public key',
    ],
    ['null as key', { key: null }, 'key cannot be used: give a public key'],
    ['RSA of 1,024 bits', { key: shortRsa }, 'it has 1024 bits, fewer than 2048'],
    ['a curve without an algorithm', { key: ec('secp256k1') }, 'it is of the kind ec secp256k1'],
    ['a key that cannot sign', { key: generateKeyPairSync('x25519').publicKey }, 'it is of the kind x25519'],
    [
      'none',
      { secret: SECRET, algorithms: ['none'] },
      "algorithms is [ 'none' ]: list some of those that fit the key: HS256",
    ],
    ['no algorithm', { secret: SECRET, algorithms: [] }, 'algorithms is []: list signature algorithms'],
    [
      'an algorithm that is no list',
      { secret: SECRET, algorithms: 'HS256' },
      "algorithms is 'HS256': list signature algorithms",
    ],
    [
      'HS256 with a public key',
      { key: rsa.publicKey, algorithms: ['RS256', 'HS256'] },
      "algorithms is [ 'RS256', 'HS256' ]: list some",
    ],
    ['HS256 with a key set', { ...REMOTE, algorithms: ['HS256'] }, "algorithms is [ 'HS256' ]: list some"],
    ['RS256 with an EC key', { key: ec('prime256v1'), algorithms: ['RS256'] }, 'fit the key: ES256'],
    ['a key set of any issuer', { ...REMOTE, issuer: undefined }, 'issuer is missing: name the issuer'],
    [
      'a key set for any audience',
      { ...REMOTE, audience: undefined },
      'audience is missing: name the audience',
    ],
    ['an empty audience', { ...REMOTE, audience: [] }, 'audience is []: name the audience'],
    [
      'discovery for any audience',
      { issuer: 'https://id.example' },
      'audience is missing: name the audience',
    ],
    [
      'discovery at no URL',
      { issuer: 'id.example', audience: 'shop' },
      'issuer is not a URL: alone it must be the http',
    ],
    ['discovery at several URLs', { issuer: ['https://a.example'], audience: 'shop' }, 'give one of them'],
    [
      'a key set in a file',
      { ...REMOTE, jwksUri: 'file:///etc/keys' },
      'jwksUri is a text of 16 characters (not shown): give an http',
    ],
    ['a header that is none', { secret: SECRET, header: 'a b' }, "header is 'a b': name a header"],
    ['a scheme that is none', { secret: SECRET, scheme: 'Bearer ' }, "scheme is 'Bearer ': give a word"],
    ['an empty type', { secret: SECRET, typ: '' }, "typ is '': give a type"],
    [
      'a tolerance of an hour',
      { secret: SECRET, clockToleranceSeconds: 3_600 },
      'give an integer from 0 to 300',
    ],
    ['no time to wait', { ...REMOTE, timeoutMs: 0 }, 'timeoutMs is 0: give milliseconds, an integer from 1'],
    [
      'a timeout that is a text',
      { ...REMOTE, timeoutMs: '5s' },
      "timeoutMs is '5s': give milliseconds, an integer from 1",
    ],
    [
      'a negative cool-down',
      { ...REMOTE, cooldownMs: -1 },
      'cooldownMs is -1: give milliseconds, an integer from 0',
    ],
    ['NaN', { ...REMOTE, keysMaxAgeMs: NaN }, 'keysMaxAgeMs is NaN: give milliseconds, an integer from 1'],
    [
      'a cache without a bound',
      { secret: SECRET, cache: { maxEntries: Infinity } },
      'cache.maxEntries is Infinity: give an integer',
    ],
    [
      'a negative ttl',
      { secret: SECRET, cache: { ttlMs: -1 } },
      'cache.ttlMs is -1: give milliseconds, an integer from 0',
    ],
  ])('refuses %s', (_what, options, problem) => {
    const message = refusal({ claim: 'tenant', ...options });
    expect(message).toMatch(/^fromJwtClaim\(\) cannot work:\n- /);
    expect(message).toContain(problem);
  });

  it('names all that is wrong at once, and shows no secret', () => {
    const message = refusal({ claim: '', secret: 'top secret', timeoutMs: 0, audience: '' });
    expect(message?.split('\n- ').map((line) => line.split(/:| is /)[0])).toEqual([
      'fromJwtClaim() cannot work',
      'claim',
      'audience',
      'timeoutMs',
    ]);
    expect(refusal({ claim: 'a', secret: 'top secret' })).not.toContain('top secret');
  });
});
