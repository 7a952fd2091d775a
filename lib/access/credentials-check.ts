import { Inject, Injectable, Logger } from '@nestjs/common';
import { TenantResolution } from '../resolution/tenant-resolution';
import { CredentialsUnreadError } from './access.errors';

/** Token of a boolean: whether there are routes that make API keys. */
export const MAKES_KEYS = Symbol('MAKES_KEYS');

const UNKNOWN =
  'With TenancyAccessModule each route that is not @Public() needs an API key or an access token, but no resolver says that it ' +
  "reads them. If a resolver of yours calls fromApiKey(), mark it: credentialResolver(resolve, { reads: 'api_key' }), and " +
  "'access_token' for fromJwtClaim(). Else put one of these among the resolvers of TenancyModule. Every request is answered 401.";

/** Fails the start when no resolver reads credentials, because every request would then be refused. */
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
      '/tenant/keys makes API keys, but no resolver reads them, so requests with one are answered 401. Put fromApiKey() among the ' +
        'resolvers of TenancyModule, or leave the routes out: TenancyAccessModule.forRoot({ routes: false }).',
    );
  }
}
