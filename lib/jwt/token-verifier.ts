import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { jose } from './jose';
import { TenantTokenInvalidError } from './jwt.errors';
import type { CheckedJwtOptions } from './jwt.options';
import { verificationKeys, type VerificationKeys } from './verification-keys';

const { errors, jwtVerify } = jose;

/** The payload of a token whose signature, times, issuer and audience are correct. It has an `exp`. */
export type VerifiedPayload = JWTPayload & { readonly exp: number };

/**
 * A function that verifies tokens. It throws `TenantTokenInvalidError`, and `TenancyUnavailableError` when the issuer's
 * keys cannot be fetched.
 *
 * @throws TypeError for keys and algorithms that cannot be used
 */
export function tokenVerifier(
  options: CheckedJwtOptions,
  clockToleranceSeconds: number,
  scheme: string,
): (token: string) => Promise<VerifiedPayload> {
  const { key, algorithms } = verificationKeys(options);
  const { issuer, audience, typ } = options;
  const rules: JWTVerifyOptions = {
    algorithms: [...algorithms],
    ...(issuer === undefined ? {} : { issuer: listed(issuer) }),
    ...(audience === undefined || audience === false ? {} : { audience: listed(audience) }),
    ...(typ === undefined ? {} : { typ }),
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ['exp'],
  };
  return async (token) => {
    try {
      return await payloadOf(token, key, rules);
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      throw new TenantTokenInvalidError(reasonOf(error), scheme, { cause: error });
    }
  };
}

async function payloadOf(
  token: string,
  key: VerificationKeys['key'],
  rules: JWTVerifyOptions,
): Promise<VerifiedPayload> {
  try {
    const { payload } = await jwtVerify<VerifiedPayload>(token, key, rules);
    return payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    return firstVerified(token, error, rules);
  }
}

/** A token that does not name the issuer's key with which it was signed is tried with each of them. */
async function firstVerified(
  token: string,
  keys: InstanceType<typeof errors.JWKSMultipleMatchingKeys>,
  rules: JWTVerifyOptions,
): Promise<VerifiedPayload> {
  for await (const key of keys) {
    try {
      const { payload } = await jwtVerify<VerifiedPayload>(token, key, rules);
      return payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function listed(texts: string | readonly string[]): string[] {
  return typeof texts === 'string' ? [texts] : [...texts];
}

/** The reason must not repeat anything from the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `its "${error.claim}" is not accepted`;
  return 'it could not be verified';
}
