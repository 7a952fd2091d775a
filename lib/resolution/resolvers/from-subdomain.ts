import { checkArguments } from '../../common/options/check-options';
import { isObject, kind } from '../../common/options/kinds';
import { type Given, Option } from '../../common/options/option.decorator';
import { DEFAULT_RESERVED_SLUGS } from '../../registry/claim';
import { type TenantResolver, VARY_OF_HOST } from './tenant-resolver';

export class CheckedFromSubdomainOptions {
  /** Subdomains that belong to no tenant and make no claim. Default `www api app admin mail static`. */
  @Option(
    // What it holds is not looked at: some can be gone through only once.
    kind<Iterable<string>>('give a list of words', (value) => isObject(value) && Symbol.iterator in value),
  )
  readonly ignore: Iterable<string> = DEFAULT_RESERVED_SLUGS;
}

export type FromSubdomainOptions = Given<CheckedFromSubdomainOptions>;

const HOST_NAME = /^(?!.{254})(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/;

/**
 * `acme.example.com` under `example.com` makes the claim `acme`. The parent itself, deeper names, other hosts and
 * `ignore` make none.
 *
 * @throws TypeError for a parent that is not a host name: with a scheme, a port, a path, or a wildcard
 */
export function fromSubdomain(parent: string, options: FromSubdomainOptions = {}): TenantResolver {
  const { ignore } = checkArguments('fromSubdomain()', CheckedFromSubdomainOptions, options);
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
