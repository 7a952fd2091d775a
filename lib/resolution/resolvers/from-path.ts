import { slugOrId } from '../../registry/claim';
import { tenantPathReader, type TenantPathOptions } from './tenant-path';
import type { Providers, TenantResolver } from './tenant-resolver';
import { noticeUnrouted } from '../http/unrouted-paths';

/**
 * `/t/acme/orders` makes the claim `acme`; a segment shaped like a uuid is an id. Any other path makes none. It only
 * reads: declare the routes under `t/:tenant`, or take that part away with `stripTenantPath()`.
 *
 * Nothing is decoded, so `/t/%61cme` names nobody, as do `/t/`, `/t//orders` and a prefix that is spelled in another
 * way.
 *
 * @throws TypeError when `prefix` is not a path
 */
export function fromPath(options: TenantPathOptions = {}): TenantResolver {
  const read = tenantPathReader(options, 'fromPath');
  const resolve: TenantResolver = ({ url }) => {
    const path = read(url);
    return path && slugOrId(path.tenant);
  };
  const within = (providers: Providers) =>
    Object.assign(noticeUnrouted(resolve, providers, options), { vary: [] });
  return Object.assign(resolve, { vary: [], reads: 'none' as const, within });
}
