import { explainAbsent } from '../../common/absent-package';

/**
 * The library that knows the ranges of addresses. Loaded when it is needed: the admin module reads this folder, too.
 *
 * @throws PackageMissingError
 */
export function ipaddr(): typeof import('ipaddr.js') {
  try {
    return require('ipaddr.js') as typeof import('ipaddr.js');
  } catch (error) {
    throw explainAbsent(error, 'ipaddr.js', 'nestjs-tenancy/webhooks');
  }
}
