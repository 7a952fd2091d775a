import { explainAbsent } from '../../common/absent-package';

/**
 * The reference library of the Standard Webhooks specification. Loaded when it is needed: the admin module reads this folder, too.
 *
 * @throws PackageMissingError
 */
export function standardWebhooks(): typeof import('standardwebhooks') {
  try {
    return require('standardwebhooks') as typeof import('standardwebhooks');
  } catch (error) {
    throw explainAbsent(error, 'standardwebhooks', 'nestjs-tenancy/webhooks');
  }
}
