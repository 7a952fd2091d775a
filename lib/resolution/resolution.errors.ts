import { HttpStatus } from '@nestjs/common';
import { TenancyError } from '../common/tenancy.errors';
import { StartError } from '../common/start.errors';

/** No resolver found a tenant in a request whose route needs one. */
export class TenantMissingError extends TenancyError {
  readonly code = 'TENANT_MISSING';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor() {
    super('The request names no tenant.');
  }
}

/** The request and its credential name different tenants, or one of them names an unknown tenant. */
export class TenantMismatchError extends TenancyError {
  readonly code = 'TENANT_MISMATCH';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor() {
    super("The request's credentials belong to another tenant than the request is for.");
  }
}

/** One GraphQL request asks for fields of a tenant and for fields without a tenant. */
export class OperationMixedError extends TenancyError {
  readonly code = 'OPERATION_MIXED';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor() {
    super(
      'One request may not ask for fields of a tenant together with fields that belong to no tenant. Send two requests.',
    );
  }
}

/** The credential is good for several tenants, and the request names none of them. */
export class TenantChoiceRequiredError extends TenancyError {
  readonly code = 'TENANT_CHOICE_REQUIRED';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor() {
    super(
      "The request's credential is good for several tenants. Say in the request which of them it is for.",
    );
  }
}

/** A resolver gave something that is not a claim. */
export class InvalidClaimError extends TenancyError {
  readonly code = 'TENANT_CLAIM_INVALID';

  constructor(readonly resolverIndex: number) {
    super(
      `The tenant resolver at index ${resolverIndex} gave something that is not a claim. ` +
        "Return { by: 'slug' | 'id' | 'domain', value: string }, or undefined when the request names no tenant.",
    );
  }
}

/** An interceptor answers tenants out of one cache for all of them. */
export class SharedCacheError extends StartError {
  readonly code = 'SHARED_CACHE';
  declare readonly handlers: readonly string[];

  constructor(handlers: readonly string[]) {
    const named = handlers.slice(0, 10).join(', ') + (handlers.length > 10 ? ', …' : '');
    super(
      `CacheInterceptor of @nestjs/cache-manager stands before ${named}. Its keys are URLs and @CacheKey(), which are the same for ` +
        'all tenants: one would get the answer of another. Use TenantCacheInterceptor of nestjs-tenancy/cache in its place, or a class ' +
        'of your own that extends it, whose trackBy(context) puts TenantContext.tenant().id in front of the key; or mark with ' +
        '@TenantFree() what belongs to no tenant.',
      { details: { handlers } },
    );
  }
}

/** Classes that Nest shares between requests would keep the tenant of the first. */
export class DurableTenantError extends StartError {
  readonly code = 'DURABLE_TENANT';
  declare readonly classes: readonly string[];

  constructor(classes: readonly string[]) {
    super(
      `Durable classes inject CURRENT_TENANT, directly or through what they inject: ${classes.join(', ')}. Nest makes a durable class ` +
        'once for many requests, so each of them would work for the tenant of the first. Inject TenantContext there and ' +
        'ask tenant() or find() when you need it, or leave durable out.',
      { details: { classes } },
    );
  }
}
