import { parseCookie } from 'cookie';
import { slugOrId } from '../../registry/claim';
import type { TenantResolver } from './tenant-resolver';

/** RFC 6265, 4.1.1: a cookie's name is a token. */
const COOKIE_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;

/** A name that no tenant has: slugs and ids are not empty. */
const NOBODY = '';

/**
 * The cookie `tenant=acme` makes the claim `acme`; a value shaped like a uuid is an id. A request without the cookie
 * makes none; an empty or a repeated one makes a claim that names nobody. Repeated are those that a subdomain has
 * planted beside the application's own (a name that begins with `__Host-` cannot be planted).
 *
 * A cookie is not signed: whoever holds the browser sets it.
 *
 * @throws TypeError for a name that no cookie can have
 */
export function fromCookie(name: string): TenantResolver {
  if (typeof name !== 'string' || !COOKIE_NAME.test(name)) {
    throw new TypeError(`fromCookie(${JSON.stringify(name)}): give a cookie's name, such as 'tenant'.`);
  }
  const resolve: TenantResolver = ({ header }) => {
    const values = valuesOf(header('cookie') ?? '', name);
    if (values.length === 0) return undefined;
    return slugOrId(values.length === 1 ? values[0] : NOBODY);
  };
  return Object.assign(resolve, { vary: ['Cookie'], reads: 'none' as const });
}

/** The library gives only the first of several cookies of one name, so it is shown one after the other. */
function valuesOf(header: string, name: string): string[] {
  return header.split(';').flatMap((pair) => {
    const value = pair.includes(name) ? parseCookie(pair)[name] : undefined;
    return value === undefined ? [] : [value];
  });
}
