import type { IncomingMessage } from 'node:http';
import {
  type CanActivate,
  type ExecutionContext,
  HttpException,
  HttpStatus,
  Injectable,
} from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { RouteMetadata } from '../common/route-metadata';
import { arrivalOf, isUnknownKind } from '../common/arrival';
import { ScopeMissingError } from '../common/scope.errors';
import { missingScope } from '../common/scopes';
import { PUBLIC } from './public-route.decorator';
import {
  getRequestState,
  type HttpRequest,
  requestOf,
  type RequestState,
} from '../resolution/http/request-state';
import { TenantMismatchError } from '../resolution/resolution.errors';
import { middlewareMissing } from '../resolution/http/tenant.guard';
import { TenantResolution } from '../resolution/tenant-resolution';
import { credentialsOf, type VerifiedCredential } from '../resolution/resolvers/verified-credential';
import { CredentialsAmbiguousError, UnauthenticatedError } from './access.errors';
import { Principal } from './principal';
import { setPrincipal } from './request-principal';
import { REQUIRED_SCOPES } from './require-scopes.decorator';

/** Lets in who shows a good credential, to what its scopes allow. Public routes are open to all. */
@Injectable()
export class AccessGuard implements CanActivate {
  readonly #isPublic = new RouteMetadata<unknown>(PUBLIC, false);
  readonly #requiredScopes = new RouteMetadata<readonly string[]>(REQUIRED_SCOPES, []);

  constructor(
    config: ApplicationConfig,
    private readonly resolution: TenantResolution,
  ) {
    // First of all guards, whatever the order of imports: who shows no credential learns nothing about tenants.
    config.getGlobalGuards().unshift(this);
  }

  /**
   * @throws UnauthenticatedError, CredentialsAmbiguousError, ScopeMissingError, TenantMismatchError, and whatever the
   * middleware could not resolve
   * @throws TransportUnknownError for what comes by a way that we do not know
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const isPublic = this.#isPublic.of(context) === true;
    if (isPublic && isUnknownKind(context)) return true;
    // Gateways and microservices have no middleware that could have read a credential.
    if (arrivalOf(context) !== 'http') return true;
    const request = requestOf(context);
    if (isPublic) {
      this.#recognize(request);
      return true;
    }
    const principal = await this.#authenticate(request, context);
    const missing = missingScope(principal.scopes, this.#requiredScopes.of(context));
    if (missing !== undefined) throw new ScopeMissingError(missing);
    setPrincipal(request, principal);
    return true;
  }

  async #authenticate(request: HttpRequest, context: ExecutionContext): Promise<Principal> {
    const state = getRequestState(request);
    if (!state) throw middlewareMissing(context);
    const { failure } = state;
    if (failure && isOfCredentials(failure.error)) throw failure.error;
    // What was refused for its tenant may have a good credential: to others nothing is said of tenants.
    if (failure && credentialsOf(request).length === 0)
      await this.resolution.verifyCredentials(this.resolution.requestOf(rawOf(request)));
    const [credential, another] = credentialsOf(request);
    if (!credential) throw new UnauthenticatedError();
    if (another) throw new CredentialsAmbiguousError();
    if (failure) throw failure.error;
    return principalOf(credential, state);
  }

  /** On a public route: who it is, if that is beyond doubt. */
  #recognize(request: HttpRequest): void {
    const state = getRequestState(request);
    const [credential, another] = credentialsOf(request);
    if (!state || state.failure || !credential || another || !isFor(credential, state)) return;
    setPrincipal(request, principalOf(credential, state));
  }
}

/** @throws TenantMismatchError for a token that names no tenant, at one: whoever sends it could name any */
function principalOf(credential: VerifiedCredential, state: RequestState): Principal {
  if (!isFor(credential, state)) throw new TenantMismatchError();
  return new Principal(credential, state.frame.tenant?.id ?? credential.details.tenantId);
}

function isFor({ details }: VerifiedCredential, { frame }: RequestState): boolean {
  return !frame.tenant || details.namesTenant;
}

/** A credential that was refused, or could not be looked at. */
function isOfCredentials(error: unknown): boolean {
  if (!(error instanceof HttpException)) return true;
  const status = error.getStatus();
  return status === Number(HttpStatus.UNAUTHORIZED) || status >= 500;
}

function rawOf(request: HttpRequest): IncomingMessage {
  return 'raw' in request ? request.raw : request;
}
