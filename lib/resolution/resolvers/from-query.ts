import { slugOrId } from '../../registry/claim';
import type { TenantResolver } from './tenant-resolver';

/** A name that no tenant has: slugs and ids are not empty. */
const NOBODY = '';

/**
 * `?tenant=acme` makes the claim `acme`; a value shaped like a uuid is an id. A URL without that parameter makes none;
 * an empty or a repeated one makes a claim that names nobody. `tenant[]` and `tenant[a]` are other names.
 *
 * URLs are logged, shared and bookmarked, and whoever writes a link names the tenant: use it for downloads and the
 * like, beside a credential.
 *
 * @throws TypeError for an empty name
 */
export function fromQuery(name: string): TenantResolver {
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`fromQuery(${JSON.stringify(name)}): give a parameter's name, such as 'tenant'.`);
  }
  const resolve: TenantResolver = ({ url }) => {
    const values = new URLSearchParams(queryOf(url)).getAll(name);
    if (values.length === 0) return undefined;
    return slugOrId(values.length === 1 ? values[0] : NOBODY);
  };
  return Object.assign(resolve, { vary: [], reads: 'none' as const });
}

/** A fragment belongs to the browser and is not read, should one be sent. */
function queryOf(url: string): string {
  const [target] = url.split('#', 1);
  const start = target.indexOf('?');
  return start === -1 ? '' : target.slice(start + 1);
}
