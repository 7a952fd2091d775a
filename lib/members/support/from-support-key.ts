import { injectedCredentialResolver } from '../../resolution/resolvers/credential-resolver';
import type { Providers, TenantRequest, TenantResolver } from '../../resolution/resolvers/tenant-resolver';
import { tokenReader } from '../../resolution/resolvers/token-reader';
import { SupportAuthentication } from './support-authentication';
import { MembersModuleMissingError } from './support.errors';

/** Only this header has a credential of support: what is in a URL is in logs and histories. */
const HEADER = 'x-support-key';

/**
 * Claims the tenant of a support session: `X-Support-Key: sup_…`. A request without one makes no claim. It is a credential,
 * so it must agree even when another resolver found the tenant. It needs `TenancyMembersModule`.
 */
export function fromSupportKey(): TenantResolver {
  const keyIn = tokenReader(HEADER, '');
  const ofApplication = (providers: Providers) => {
    // Nest knows the provider before it makes it. If it is missing, the start fails here.
    authenticationOf(providers);
    let authentication: SupportAuthentication | undefined;
    return (request: TenantRequest) => {
      const text = keyIn(request);
      if (text === undefined) return undefined;
      authentication ??= authenticationOf(providers);
      return authentication.claimOf(request, text);
    };
  };
  return injectedCredentialResolver('fromSupportKey()', ofApplication, { vary: [HEADER], reads: 'none' });
}

function authenticationOf(providers: Providers): SupportAuthentication {
  try {
    return providers.get(SupportAuthentication);
  } catch (error) {
    throw new MembersModuleMissingError('fromSupportKey()', { cause: error });
  }
}
