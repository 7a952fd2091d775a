import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { CredentialsAmbiguousError, UnauthenticatedError } from '../access/access.errors';
import type { ApiRequest } from '../http/api-request';
import { setCaller } from '../http/caller';
import type { PlatformRequest } from '../resolution/http/tenant-request';
import { credentialsOf, type VerifiedCredential } from '../resolution/resolvers/verified-credential';
import { TenantResolution } from '../resolution/tenant-resolution';

/**
 * Admits the owner of a verified token on a route without a tenant, whatever tenants the token names: they are about to
 * belong to another one.
 */
@Injectable()
export class TokenCallerGuard implements CanActivate {
  constructor(private readonly resolution: TenantResolution) {}

  /**
   * @throws UnauthenticatedError when the request carries no token
   * @throws CredentialsAmbiguousError when it carries several credentials
   * @throws what the resolvers throw for a bad one
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const raw = (request.raw ?? request) as PlatformRequest;
    if (credentialsOf(raw).length === 0)
      await this.resolution.verifyCredentials(this.resolution.requestOf(raw));
    const { text, details } = tokenOf(request);
    setCaller(request, { name: details.name, secret: text });
    return true;
  }
}

/** The token of a request that the guard has admitted. */
export function tokenOf(request: ApiRequest): VerifiedCredential {
  const [credential, another] = credentialsOf((request.raw ?? request) as PlatformRequest);
  if (another) throw new CredentialsAmbiguousError();
  if (credential?.details.type !== 'access_token') throw new UnauthenticatedError();
  return credential;
}
