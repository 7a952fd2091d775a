import { Inject, Injectable, Logger } from '@nestjs/common';
import { TenantResolution } from '../resolution/tenant-resolution';
import { CredentialsUnreadError } from './access.errors';

/** Token of whether there are routes that make API keys. */
export const MAKES_KEYS = Symbol('MAKES_KEYS');

const UNKNOWN =
  'With TenancyAccessModule each route that is not @Public() asks for an API key or an access token, and no resolver says that it ' +
  "reads them. If one of yours asks fromApiKey(), make it so: credentialResolver(resolve, { reads: 'api_key' }), and " +
  "'access_token' for fromJwtClaim(). Else put one of these among the resolvers of TenancyModule: everybody is answered 401.";

/** Fails a start in which every request would be refused for want of a credential that nobody reads. */
@Injectable()
export class CredentialsCheck {
  /** @throws CredentialsUnreadError */
  constructor({ reads }: TenantResolution, @Inject(MAKES_KEYS) makesKeys: boolean) {
    const logger = new Logger('Tenancy');
    const readsTokens = reads.has('access_token');
    if (reads.has('api_key') || (readsTokens && !makesKeys)) return;
    if (reads.has('unknown')) {
      if (!readsTokens) logger.warn(UNKNOWN);
      return;
    }
    if (!readsTokens) throw new CredentialsUnreadError();
    logger.warn(
      '/tenant/keys makes API keys, and no resolver reads them: who sends one is answered 401. Put fromApiKey() among the ' +
        'resolvers of TenancyModule, or leave the routes out: TenancyAccessModule.forRoot({ routes: false }).',
    );
  }
}
