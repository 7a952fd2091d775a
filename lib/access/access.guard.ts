import type { IncomingMessage } from 'node:http';
import {
  type CanActivate,
  type ExecutionContext,
  HttpException,
  HttpStatus,
  Injectable,
  Optional,
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
import { CurrentActor } from '../context/current-actor';
import { ScopeMissingError } from '../common/scope.errors';
import { missingScope } from '../common/scopes';
import { TenancyError } from '../common/tenancy.errors';
import { PUBLIC } from '../http/public-route.decorator';
import { TENANT_NEED, type TenantNeed } from '../resolution/http/tenant-route.decorator';
import { TenantMismatchError } from '../resolution/resolution.errors';
import { middlewareMissing } from '../resolution/http/tenant.guard';
import { TenantResolution } from '../resolution/tenant-resolution';
import { credentialsOf, type VerifiedCredential } from '../resolution/resolvers/verified-credential';
import { CredentialsAmbiguousError, NotAMemberError, UnauthenticatedError } from './access.errors';
import { Memberships } from './memberships';
import { Principal } from './principal';
import { setPrincipal } from './request-principal';
import { REQUIRED_SCOPES } from './require-scopes.decorator';

/** What an actor is called in events, by the type of the credential. */
const ACTOR_TYPES = { access_token: 'user', api_key: 'api-key', support: 'support' } as const;

/** Admits requests with a valid credential to the routes that its scopes allow. Public routes are open to all. */
@Injectable()
export class AccessGuard implements CanActivate {
  readonly #isPublic = new RouteMetadata<unknown>(PUBLIC, false);
  readonly #needs = new RouteMetadata<TenantNeed | 'tenant'>(TENANT_NEED, 'tenant');
  readonly #requiredScopes = new RouteMetadata<readonly string[]>(REQUIRED_SCOPES, []);

  constructor(
    config: ApplicationConfig,
    private readonly resolution: TenantResolution,
    private readonly actor: CurrentActor,
    @Optional() private readonly memberships?: Memberships,
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
   * @throws NotAMemberError when its subject does not belong to it
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
      await this.#recognize(request, context);
      return true;
    }
    const principal = await this.#authenticate(request, context);
    const missing = missingScope(principal.scopes, this.#requiredScopes.of(context));
    if (missing !== undefined) throw new ScopeMissingError(missing);
    this.#admit(request, principal);
    return true;
  }

  #admit(request: HttpRequest, principal: Principal): void {
    setPrincipal(request, principal);
    this.actor.set({ type: ACTOR_TYPES[principal.type], id: principal.subject });
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
    const isFree = this.#isFree(context);
    // The subject of a token may ask for what is nobody's from wherever they are, such as where they belong.
    if (failure && !(isFree && this.#belongs(credential))) throw failure.error;
    const principal = await this.#principalOf(credential, state, isFree);
    if (principal instanceof TenancyError) throw principal;
    return principal;
  }

  /** On a public route: sets the principal if there is exactly one credential and it is valid for the tenant. */
  async #recognize(request: HttpRequest, context: ExecutionContext): Promise<void> {
    const state = getRequestState(request);
    const [credential, another] = credentialsOf(request);
    if (!state || state.failure || !credential || another) return;
    const principal = await this.#principalOf(credential, state, this.#isFree(context));
    if (principal instanceof Principal) this.#admit(request, principal);
  }

  /** The principal, or why the credential does not count for the request's tenant. */
  async #principalOf(
    credential: VerifiedCredential,
    { frame: { tenant } }: RequestState,
    isFree: boolean,
  ): Promise<Principal | TenantMismatchError | NotAMemberError> {
    const { details } = credential;
    if (!this.#belongs(credential)) {
      // The holder of a token that names no tenant could choose any.
      if (tenant && !details.namesTenant) return new TenantMismatchError();
      return new Principal(credential, tenant?.id ?? details.tenantId);
    }
    // Where nothing is of a tenant, it is not asked whether they belong to one.
    if (!tenant || isFree) return new Principal(credential, details.tenantId);
    const found = this.memberships!.find(details, tenant);
    const membership = found instanceof Promise ? await found : found;
    return membership ? new Principal(credential, tenant.id, membership) : new NotAMemberError();
  }

  #isFree(context: ExecutionContext): boolean {
    return this.#needs.of(context) === 'free';
  }

  /** Whether it is a membership, not the credential, that decides on what may be done. */
  #belongs({ details }: VerifiedCredential): boolean {
    return this.memberships !== undefined && details.type === 'access_token';
  }
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
