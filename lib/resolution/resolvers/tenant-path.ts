import { checkArguments } from '../../common/options/check-options';
import { text } from '../../common/options/kinds';
import { type Given, Option } from '../../common/options/option.decorator';

const PREFIX = /^(?:\/|(?:\/[\w.~-]+)+)$/;

export class CheckedTenantPathOptions {
  /**
   * What the path begins with before the tenant, `/t` or `/api/t`: letters, digits, `-`, `_`, `.` and `~`, taken
   * literally. `/` when the tenant comes first. Default `/t`.
   */
  @Option(text("give the path in front of the tenant, such as '/t', or '/'", (value) => PREFIX.test(value)))
  readonly prefix: string = '/t';
}

export type TenantPathOptions = Given<CheckedTenantPathOptions>;

/** A URL that names a tenant in its path. */
export interface TenantPath {
  /** The segment after the prefix as it was sent; `''` for an empty one, and when only some routers would find one. */
  readonly tenant: string;
  /** The URL without prefix and tenant, in origin form: `/orders?page=2`. */
  readonly rest: string;
}

/** `http://example.com` in front of the path: a client may send a whole URL (RFC 9112, 3.2.2). */
const AUTHORITY = /^https?:\/\/[^/?#\\]*/i;

/**
 * Reads URLs whose path begins with `<prefix>/`; `undefined` for all others, `/` alone among them.
 *
 * Nothing is decoded, since no slug and no id needs it: `/t/%61cme` names nobody. Routers differ in what else they take
 * for the prefix (other case, `%74`, `//t`, `/\t`), so a path that only some of them would read so names nobody either.
 *
 * @throws TypeError when `prefix` is not a path; `caller` is the function that the message names
 */
export function tenantPathReader(
  options: TenantPathOptions,
  caller: string,
): (url: string) => TenantPath | undefined {
  const { prefix } = checkArguments(`${caller}()`, CheckedTenantPathOptions, options);
  const start = prefix === '/' ? '/' : `${prefix}/`;
  const plainStart = start.toLowerCase();
  return (url) => {
    const target = url.replace(AUTHORITY, '');
    const [path] = target.split(/[?#]/, 1);
    if (path.startsWith(start)) {
      const [tenant] = path.slice(start.length).split('/', 1);
      const end = start.length + tenant.length;
      return path === '/' ? undefined : { tenant, rest: restOf(target, end) };
    }
    return plain(path).startsWith(plainStart) ? { tenant: '', rest: url } : undefined;
  };
}

function restOf(target: string, end: number): string {
  const rest = target.slice(end);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The path as the most lenient router would read it. */
function plain(path: string): string {
  return path
    .replace(/%(?:25)*([\da-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .toLowerCase()
    .replace(/[\\/]+/g, '/')
    .replace(/^[a-z][a-z\d+.-]*:\/[^/]*/, '');
}
