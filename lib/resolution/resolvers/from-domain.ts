import { checkArguments } from '../../common/options/check-options';
import { flag } from '../../common/options/kinds';
import { type Given, Option } from '../../common/options/option.decorator';
import { normalizeDomain } from '../../registry/domain';
import { type RequestClaim, type TenantRequest, type TenantResolver, VARY_OF_HOST } from './tenant-resolver';

export class CheckedFromDomainOptions {
  /**
   * Also find the tenant of `*.acme.com` for `shop.acme.com`: of one label, and only when nobody has `shop.acme.com`
   * itself. Such domains are registered with the module's option `wildcardDomains`. Default false.
   */
  @Option(flag())
  readonly wildcards: boolean = false;
}

export type FromDomainOptions = Given<CheckedFromDomainOptions>;

/**
 * `shop.acme.com` claims the tenant that this domain is registered for. A host registered for nobody makes no claim:
 * the next resolver is asked.
 */
export function fromDomain(options: FromDomainOptions = {}): TenantResolver {
  const { wildcards } = checkArguments('fromDomain()', CheckedFromDomainOptions, options);
  const resolve = ({ host }: TenantRequest): RequestClaim | undefined => {
    // A star may stand in the registry, but not in the name of a host.
    if (host === '' || host.includes('*')) return undefined;
    return wildcards
      ? { by: 'domain', value: host, wildcard: wildcardOf(host) }
      : { by: 'domain', value: host };
  };
  return Object.assign(resolve, { vary: VARY_OF_HOST, reads: 'none' as const });
}

/** `*.acme.com` for `shop.acme.com`. For a domain of two labels it gives `*.com`, which no tenant can have. */
function wildcardOf(host: string): string | undefined {
  const domain = normalizeDomain(host);
  return domain && `*.${domain.slice(domain.indexOf('.') + 1)}`;
}
