import { Inject, Injectable, Logger } from '@nestjs/common';
import { TenantResolution } from '../resolution/tenant-resolution';
import { CredentialsUnreadError } from './access.errors';

/** Token of whether there are routes that make API keys. */
export const MAKES_KEYS = Symbol('MAKES_KEYS');

/** Fails a start in which every request would be refused for want of a credential that nobody reads. */
@Injectable()
export class CredentialsCheck {
  /** @throws CredentialsUnreadError */
  constructor({ reads }: TenantResolution, @Inject(MAKES_KEYS) makesKeys: boolean) {
    if (reads.size === 0) throw new CredentialsUnreadError();
    if (reads.has('api_key') || !makesKeys) return;
    new Logger('Tenancy').warn(
      '/tenant/keys makes API keys, and no resolver reads them: who sends one is answered 401. Put fromApiKey() among the ' +
        'resolvers of TenancyModule, or leave the routes out: TenancyAccessModule.forRoot({ routes: false }).',
    );
  }
}
