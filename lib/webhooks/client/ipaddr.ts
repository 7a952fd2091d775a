import { loadPackage } from '../../common/absent-package';

/** The library that knows the ranges of addresses. Loaded when it is needed: the admin module reads this folder, too. */
export function ipaddr(): typeof import('ipaddr.js') {
  return loadPackage('ipaddr.js', 'nestjs-tenancy/webhooks', () => require('ipaddr.js'));
}
