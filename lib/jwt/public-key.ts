import { createPublicKey, type JsonWebKey, KeyObject, type webcrypto } from 'node:crypto';

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EDWARDS = ['EdDSA', 'Ed25519'];
/** By the names that OpenSSL uses for the curves P-256, P-384 and P-521. */
const ELLIPTIC: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/** For public keys of all kinds. */
export const PUBLIC_KEY_ALGORITHMS: readonly string[] = [...RSA, ...Object.values(ELLIPTIC), ...EDWARDS];

/** RFC 7518, 3.3. */
const MIN_RSA_BITS = 2_048;

/**
 * A public key from any of its forms. From a private key it takes the public half.
 *
 * @throws TypeError when the key cannot be read or is a secret
 */
export function publicKeyOf(key: string | JsonWebKey | KeyObject | webcrypto.CryptoKey): KeyObject {
  const keyObject = importKey(key);
  if (keyObject.type === 'secret') throw new TypeError('it is a secret: give it as `secret`');
  return keyObject.type === 'private' ? createPublicKey(keyObject) : keyObject;
}

function importKey(key: string | JsonWebKey | KeyObject | webcrypto.CryptoKey): KeyObject {
  if (key instanceof KeyObject) return key;
  if (typeof key === 'string') return createPublicKey(key);
  return 'kty' in key ? createPublicKey({ key, format: 'jwk' }) : KeyObject.from(key as webcrypto.CryptoKey);
}

/**
 * The algorithms for which a public key can verify signatures.
 *
 * @throws TypeError for a kind of key that no algorithm uses, and for RSA below 2,048 bits
 */
export function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa') {
    if (modulusLength < MIN_RSA_BITS)
      throw new TypeError(`it has ${modulusLength} bits, fewer than ${MIN_RSA_BITS}`);
    return RSA;
  }
  if (asymmetricKeyType === 'ed25519') return EDWARDS;
  if (asymmetricKeyType === 'ec' && Object.hasOwn(ELLIPTIC, namedCurve)) return [ELLIPTIC[namedCurve]];
  throw new TypeError(
    `it is of the kind ${asymmetricKeyType} ${namedCurve}: give RSA, P-256, P-384, P-521 or Ed25519`,
  );
}
