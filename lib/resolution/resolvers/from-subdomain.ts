import { type Names, requireKnown } from '../../common/known-names';
import { DEFAULT_RESERVED_SLUGS } from '../../registry/slug';
import { type TenantResolver, VARY_OF_HOST } from './tenant-resolver';

export interface FromSubdomainOptions {
  /** Subdomains that are nobody's and make no claim. Default: `www api app admin mail static`. */
  readonly ignore?: Iterable<string>;
}

const KNOWN: Names<FromSubdomainOptions> = { ignore: true };

const HOST_NAME = /^(?!.{254})(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/;

/**
 * `acme.example.com` under `example.com` makes the claim `acme`. The parent itself, deeper names, other hosts and
 * `ignore` make none.
 *
 * @throws TypeError for a parent that is not a host name: with a scheme, a port, a path, or a wildcard
 */
export function fromSubdomain(parent: string, options: FromSubdomainOptions = {}): TenantResolver {
  requireKnown('fromSubdomain()', options, KNOWN);
  const { ignore = DEFAULT_RESERVED_SLUGS } = options;
  if (!HOST_NAME.test(parent.toLowerCase())) {
    throw new TypeError(
      `fromSubdomain(${JSON.stringify(parent)}): give a bare host name, such as 'example.com', in its ASCII form.`,
    );
  }
  const suffix = `.${parent.toLowerCase()}`;
  const ignored = new Set([...ignore].map((name) => name.toLowerCase()));
  const resolve: TenantResolver = ({ host }) => {
    if (!host.endsWith(suffix)) return undefined;
    const value = host.slice(0, -suffix.length);
    return value.includes('.') || ignored.has(value) ? undefined : { by: 'slug', value };
  };
  return Object.assign(resolve, { vary: VARY_OF_HOST, reads: 'none' as const });
}
