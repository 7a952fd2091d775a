import type { CredentialClaims, Providers, TenantRequest, TenantResolver } from './tenant-resolver';

/** The key under which a request carries the providers of the application that received it. */
export const PROVIDERS = Symbol('nestjs-tenancy providers');

/**
 * `vary`: the headers that it reads, as of any resolver. `reads`: which of our credentials, if it asks one of our
 * resolvers.
 */
export type CredentialResolverOptions = Pick<TenantResolver, 'vary' | 'reads'>;

type Resolve = (request: TenantRequest) => CredentialClaims | Promise<CredentialClaims>;

/**
 * Marks a resolver of yours as one that reads a credential: a token, an API key. Such resolvers are asked even when the
 * tenant is found, and with their claim every other one of the request must agree, wherever the resolvers stand: else
 * it is 403 `TENANT_MISMATCH`. A credential that is good for several tenants gives a list of claims, of which another
 * resolver must choose one.
 */
export function credentialResolver(
  resolve: Resolve,
  options: CredentialResolverOptions = {},
): TenantResolver {
  // Only credentials give lists, so that callers of other resolvers need not handle them.
  const single = resolve as TenantResolver;
  return Object.assign((request: TenantRequest) => single(request), {
    ...options,
    credential: true as const,
  });
}

/**
 * The same for a resolver that needs providers of the application. It is made once for each application: then it may
 * check that they exist, and it may use them once requests come. A resolver of the application may call it with the
 * request that it was given. `name` appears in the error thrown when it is called with anything else.
 */
export function injectedCredentialResolver(
  name: string,
  make: (providers: Providers) => Resolve,
  options: CredentialResolverOptions,
): TenantResolver {
  const made = new WeakMap<Providers, Resolve>();
  const resolve = (request: TenantRequest) => {
    const providers = (request as { readonly [PROVIDERS]?: Providers })[PROVIDERS];
    if (!providers)
      throw new TypeError(
        `${name} can only be asked with the request that TenancyModule gives to a resolver.`,
      );
    const own = made.get(providers) ?? make(providers);
    made.set(providers, own);
    return (own as TenantResolver)(request);
  };
  return Object.assign(resolve, {
    ...options,
    credential: true as const,
    within: (providers: Providers) => credentialResolver(make(providers), options),
  });
}
