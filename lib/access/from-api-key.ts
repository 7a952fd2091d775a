import { checkArguments } from '../common/options/check-options';
import { headerName, scheme } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { injectedCredentialResolver } from '../resolution/resolvers/credential-resolver';
import type { Providers, TenantRequest, TenantResolver } from '../resolution/resolvers/tenant-resolver';
import { tokenReader } from '../resolution/resolvers/token-reader';
import { AccessModuleMissingError } from './access.errors';
import { ApiKeyAuthentication } from './api-key-authentication';

export class CheckedFromApiKeyOptions {
  /** The header that holds the key. Default `x-api-key`. */
  @Option(headerName('x-api-key'))
  readonly header: string = 'x-api-key';

  /**
   * The word before the key in the header, in any case: `Bearer` or `ApiKey` in `authorization`. Default `''`: the
   * header holds only the key. If access tokens come as `Bearer`, give keys another header or another word.
   */
  @Option(scheme('ApiKey'))
  readonly scheme: string = '';
}

export type FromApiKeyOptions = Given<CheckedFromApiKeyOptions>;

/**
 * Claims the tenant of an API key: `X-API-Key: sk_…`. A request without a key makes no claim. The key is a credential,
 * so it must agree even when another resolver found the tenant: a key of another tenant is 403 `TENANT_MISMATCH`, a bad
 * key 401.
 *
 * It needs `TenancyAccessModule`.
 *
 * @throws TypeError when `header` or `scheme` is not valid
 */
export function fromApiKey(options: FromApiKeyOptions = {}): TenantResolver {
  const { header, scheme: word } = checkArguments('fromApiKey()', CheckedFromApiKeyOptions, options);
  const keyIn = tokenReader(header, word);
  const ofApplication = (providers: Providers) => {
    // Nest knows the provider before it makes it. If it is missing, the start fails here.
    authenticationOf(providers);
    let authentication: ApiKeyAuthentication | undefined;
    return (request: TenantRequest) => {
      const text = keyIn(request);
      if (text === undefined) return undefined;
      authentication ??= authenticationOf(providers);
      return authentication.claimOf(request, text);
    };
  };
  return injectedCredentialResolver('fromApiKey()', ofApplication, { vary: [header], reads: 'api_key' });
}

function authenticationOf(providers: Providers): ApiKeyAuthentication {
  try {
    return providers.get(ApiKeyAuthentication);
  } catch (error) {
    throw new AccessModuleMissingError('fromApiKey()', { cause: error });
  }
}
