import type { KeyObject } from 'node:crypto';
import type { JWTVerifyGetKey } from 'jose';
import { sentences } from '../common/options/check-options';
import { show } from '../common/show-value';
import type { CheckedJwtOptions } from './jwt.options';
import { algorithmsOf, PUBLIC_KEY_ALGORITHMS, publicKeyOf } from './public-key';
import { remoteKeys } from './remote-keys';

/** What tokens are verified with. The kind of key decides the algorithms; the token never does. */
export interface VerificationKeys {
  readonly key: KeyObject | Uint8Array | JWTVerifyGetKey;
  readonly algorithms: readonly string[];
}

/** RFC 7518, 3.2: a secret needs as many bytes as the hash has. */
const SECRET_BYTES: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/** @throws TypeError for a key or a secret that cannot be used, and for algorithms that do not fit it */
export function verificationKeys(options: CheckedJwtOptions): VerificationKeys {
  const { key, secret, jwksUri, issuer } = options;
  if (secret !== undefined) return secretKeys(secret, options.algorithms);
  if (key !== undefined) {
    const publicKey = usable(() => publicKeyOf(key));
    const fitting = usable(() => algorithmsOf(publicKey));
    return { key: publicKey, algorithms: chosen(options.algorithms, fitting) };
  }
  const { timeoutMs, cooldownMs, keysMaxAgeMs } = options;
  const from = jwksUri === undefined ? { issuer: issuer as string } : { jwksUri };
  return {
    key: remoteKeys({ ...from, timeoutMs, cooldownMs, keysMaxAgeMs }),
    algorithms: chosen(options.algorithms, PUBLIC_KEY_ALGORITHMS),
  };
}

function secretKeys(
  secret: string | Uint8Array,
  algorithms: readonly string[] = ['HS256'],
): VerificationKeys {
  const bytes = Buffer.from(secret);
  // Everyone knows a public key. Used as a secret, it would let everyone sign tokens.
  if (bytes.includes('-----BEGIN ')) throw problem('secret', 'is a PEM: give a public key as `key`');
  const fitting = chosen(algorithms, Object.keys(SECRET_BYTES));
  const needed = Math.max(...fitting.map((algorithm) => SECRET_BYTES[algorithm]));
  if (bytes.length < needed) {
    throw problem('secret', `has ${bytes.length} bytes: ${fitting.join(', ')} needs at least ${needed}`);
  }
  return { key: bytes, algorithms: fitting };
}

/** The algorithms that the options name, all of which must fit the key; by default all that do. */
function chosen(algorithms: readonly string[] | undefined, fitting: readonly string[]): readonly string[] {
  if (algorithms === undefined) return fitting;
  if (!algorithms.every((each) => fitting.includes(each))) {
    throw problem(
      'algorithms',
      `is ${show(algorithms)}: list some of those that fit the key: ${fitting.join(', ')}`,
    );
  }
  return algorithms;
}

/** Passes on Node's reason for refusing a key, but not the key. */
function usable<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw problem(
      'key',
      `cannot be used: give a public key as PEM, JWK, KeyObject or CryptoKey (${(error as Error).message})`,
    );
  }
}

function problem(field: string, message: string): TypeError {
  return new TypeError(`fromJwtClaim() cannot work:\n${sentences([{ field, message }])}`);
}
