import type { IncomingMessage } from 'node:http';
import {
  type CanActivate,
  type ExecutionContext,
  HttpException,
  HttpStatus,
  Injectable,
} from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import {
  arrivalOf,
  getRequestState,
  type HttpRequest,
  isUnknownKind,
  requestOf,
  type RequestState,
  RouteMetadata,
} from '../context/handler-call';
import { ScopeMissingError } from '../common/scope.errors';
import { missingScope } from '../common/scopes';
import { PUBLIC } from '../http/public-route.decorator';
import { TenantMismatchError } from '../resolution/resolution.errors';
import { middlewareMissing } from '../resolution/http/tenant.guard';
import { TenantResolution } from '../resolution/tenant-resolution';
import { credentialsOf, type VerifiedCredential } from '../resolution/resolvers/verified-credential';
import { CredentialsAmbiguousError, UnauthenticatedError } from './access.errors';
import { Principal } from './principal';
import { setPrincipal } from './request-principal';
import { REQUIRED_SCOPES } from './require-scopes.decorator';

/** Admits requests with a valid credential to the routes that its scopes allow. Public routes are open to all. */
@Injectable()
export class AccessGuard implements CanActivate {
  readonly #isPublic = new RouteMetadata<unknown>(PUBLIC, false);
  readonly #requiredScopes = new RouteMetadata<readonly string[]>(REQUIRED_SCOPES, []);

  constructor(
    config: ApplicationConfig,
    private readonly resolution: TenantResolution,
  ) {
    // Runs before all other guards, whatever the order of imports, so that a request without a credential learns
    // nothing about tenants.
    config.getGlobalGuards().unshift(this);
  }

  /**
   * @throws UnauthenticatedError when the request carries no credential
   * @throws CredentialsAmbiguousError when it carries several
   * @throws ScopeMissingError when the credential lacks a scope that the route requires
   * @throws TenantMismatchError when the credential is not for the request's tenant
   * @throws TransportUnknownError when the call came by an unknown transport
   * @throws the error with which the middleware failed to resolve the tenant
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const isPublic = this.#isPublic.of(context) === true;
    if (isPublic && isUnknownKind(context)) return true;
    // Gateways and microservices have no middleware that could read a credential.
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
    // The credential may be valid although the tenant was refused. Only a valid one may learn why, so it is verified
    // first.
    if (failure && credentialsOf(request).length === 0)
      await this.resolution.verifyCredentials(this.resolution.requestOf(rawOf(request)));
    const [credential, another] = credentialsOf(request);
    if (!credential) throw new UnauthenticatedError();
    if (another) throw new CredentialsAmbiguousError();
    if (failure) throw failure.error;
    return principalOf(credential, state);
  }

  /** On a public route: sets the principal if there is exactly one credential and it is valid for the tenant. */
  #recognize(request: HttpRequest): void {
    const state = getRequestState(request);
    const [credential, another] = credentialsOf(request);
    if (!state || state.failure || !credential || another || !isFor(credential, state)) return;
    setPrincipal(request, principalOf(credential, state));
  }
}

/** @throws TenantMismatchError when a token that names no tenant is used for a tenant: its holder could choose any */
function principalOf(credential: VerifiedCredential, state: RequestState): Principal {
  if (!isFor(credential, state)) throw new TenantMismatchError();
  return new Principal(credential, state.frame.tenant?.id ?? credential.details.tenantId);
}

function isFor({ details }: VerifiedCredential, { frame }: RequestState): boolean {
  return !frame.tenant || details.namesTenant;
}

/** Whether a credential was refused or could not be verified. */
function isOfCredentials(error: unknown): boolean {
  if (!(error instanceof HttpException)) return true;
  const status = error.getStatus();
  return status === Number(HttpStatus.UNAUTHORIZED) || status >= 500;
}

function rawOf(request: HttpRequest): IncomingMessage {
  return 'raw' in request ? request.raw : request;
}
