import { loadPackage } from '../../common/absent-package';

/** Knows the ranges of addresses that are not public. */
export const ipaddr: typeof import('ipaddr.js') = loadPackage('ipaddr.js', 'nestjs-tenancy/webhooks', () =>
  require('ipaddr.js'),
);
