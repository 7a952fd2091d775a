import { slugOrId } from '../../registry/claim';
import type { TenantResolver } from './tenant-resolver';

/** RFC 9110, 5.1: a header's name is a token. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;

/**
 * `X-Tenant-ID: acme` makes the claim `acme`; a value shaped like a uuid is an id. A request without the header makes
 * none; an empty or a repeated header makes one that names nobody.
 *
 * Whoever can send a request can set a header: use it where a gateway or a guard vouches for it.
 *
 * @throws TypeError for a name that no header can have
 */
export function fromHeader(name: string): TenantResolver {
  if (!HEADER_NAME.test(name)) {
    throw new TypeError(`fromHeader(${JSON.stringify(name)}): give a header's name, such as 'x-tenant-id'.`);
  }
  const resolve: TenantResolver = ({ header }) => {
    const value = header(name);
    return value === undefined ? undefined : slugOrId(value);
  };
  return Object.assign(resolve, { vary: [name], reads: 'none' as const });
}
