import { inspect } from 'node:util';

/** A value as an error message shows it: on one line, cut when it is long, and a URL without what may be secret in it. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing';
  return inspect(withoutPasswords(value), {
    depth: 0,
    maxStringLength: 100,
    maxArrayLength: 10,
    breakLength: Infinity,
  });
}

/** Of what must not be shown at all, its kind. */
export function showSecret(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return `a text of ${value.length} characters (not shown)`;
  return `of type ${value === null ? 'null' : typeof value}`;
}

/** A connection URL without its secret parts: user, password and parameters. */
export function showUrl(url: unknown): string {
  if (typeof url !== 'string') return url === undefined ? 'missing' : `of type ${typeof url}`;
  if (!URL.canParse(url)) return `no URL (${url.length} characters, not shown: there may be a password)`;
  const { protocol, host, pathname } = new URL(url);
  // Of `user:password@host` without a scheme, `user` would be the scheme and the rest its path.
  if (host === '') return `a URL of the kind ${show(protocol)}`;
  if (isCutInPassword(url))
    return 'a URL with /, ? or # in its password (not shown), which must be percent-encoded';
  if (!hasReadableLogin(url))
    return 'a URL with a % in its user or password (not shown), which must be written as %25';
  return show(`${protocol}//…@${host}${pathname}`);
}

/**
 * A password with `/`, `?` or `#` in it ends the host early: then a part of the password would be shown as the host.
 */
export function isCutInPassword(url: string): boolean {
  const { hash, pathname, search, username } = new URL(url);
  return hash !== '' || pathname.includes('@') || (username === '' && search.includes('@'));
}

/** A `%` that begins no code, as in the password `50%off`, is an error in TypeORM that names no URL. */
export function hasReadableLogin(url: string): boolean {
  const { username, password } = new URL(url);
  try {
    return [username, password].every((each) => decodeURIComponent(each) !== undefined);
  } catch {
    return false;
  }
}

/** What `depth: 0` shows: a text, or those right in a list or an object. */
function withoutPasswords(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replace(/(:\/\/).*@/s, '$1…@').replace(/([?&]password=)[^&]*/gi, '$1…');
  if (Array.isArray(value))
    return value.map((each) => (typeof each === 'string' ? withoutPasswords(each) : each) as unknown);
  const prototype: unknown =
    typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value as object).map(([name, each]: [string, unknown]) => [
      name,
      typeof each === 'string' ? withoutPasswords(each) : each,
    ]),
  );
}
