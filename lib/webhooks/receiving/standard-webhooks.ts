import { loadPackage } from '../../common/absent-package';

/** The reference library of the Standard Webhooks specification. Loaded when it is needed: the admin module reads this folder, too. */
export function standardWebhooks(): typeof import('standardwebhooks') {
  return loadPackage('standardwebhooks', 'nestjs-tenancy/webhooks', () => require('standardwebhooks'));
}
