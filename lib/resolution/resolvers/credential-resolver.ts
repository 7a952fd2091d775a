import type { CredentialClaims, Providers, TenantRequest, TenantResolver } from './tenant-resolver';

/** `vary`: the headers that it reads, as of any resolver. */
export type CredentialResolverOptions = Pick<TenantResolver, 'vary'>;

/** `reads`: what our own ones read. */
export type OwnCredentialOptions = CredentialResolverOptions & Pick<TenantResolver, 'reads'>;

type Resolve = (request: TenantRequest) => CredentialClaims | Promise<CredentialClaims>;

/**
 * Marks a resolver of yours as one that reads a credential: a token, an API key. Such resolvers are asked even when the
 * tenant is found, and with their claim every other one of the request must agree, wherever the resolvers stand: else it is 403
 * `TENANT_MISMATCH`. A credential that is good for several tenants gives a list of claims, of which another resolver must choose one.
 */
export function credentialResolver(resolve: Resolve, options: OwnCredentialOptions = {}): TenantResolver {
  // Lists come from credentials alone, so that whoever asks any other resolver need not think of them.
  const single = resolve as TenantResolver;
  return Object.assign((request: TenantRequest) => single(request), {
    ...options,
    credential: true as const,
  });
}

/**
 * The same for a resolver that needs providers of the application. It is made once for each application, and may ask
 * then whether they are there, and for them as soon as requests come. `name` is that of the function, for the error of who calls it by himself.
 */
export function injectedCredentialResolver(
  name: string,
  make: (providers: Providers) => Resolve,
  options: OwnCredentialOptions,
): TenantResolver {
  const resolve = () => {
    throw new TypeError(`${name} can only be asked by the TenancyModule that it was given to.`);
  };
  return Object.assign(resolve, {
    ...options,
    credential: true as const,
    within: (providers: Providers) => credentialResolver(make(providers), options),
  });
}
