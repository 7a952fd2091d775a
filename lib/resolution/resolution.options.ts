import { flag, isAccepted, kind, text, texts } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { isSlug } from '../registry/claim';
import { trustIn } from './http/tenant-request';
import type { TenantResolver } from './resolvers/tenant-resolver';

export const RESOLUTION_OPTIONS = Symbol('RESOLUTION_OPTIONS');

/** From a request to its tenant. */
export class CheckedResolutionOptions {
  /**
   * How requests name their tenant. Asked in this order; the first claim decides. At least one.
   *
   * @see docs/resolving.md
   */
  @Option(
    kind<readonly TenantResolver[]>(
      "give at least one resolver, such as fromHeader('x-tenant-id')",
      (value) =>
        Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'function'),
    ),
    { required: true },
  )
  readonly resolvers!: readonly TenantResolver[];

  /** Slug of the tenant that serves requests without a claim. Default none: they are refused. */
  @Option(text('give the slug of a tenant', isSlug), { variable: 'TENANCY_FALLBACK_TENANT' })
  readonly fallbackTenant?: string;

  /**
   * Proxies whose `X-Forwarded-Host` and `X-Forwarded-For` are believed: addresses, CIDR ranges, or `loopback`,
   * `linklocal`, `uniquelocal`. When given it alone decides for tenants, `[]` for no proxy at all. Default what Express
   * (`trust proxy`) or Fastify (`trustProxy`) was told.
   *
   * @see docs/resolving.md#proxies
   */
  @Option(
    texts("list IP addresses, CIDR ranges, 'loopback', 'linklocal' or 'uniquelocal'", (proxy) =>
      isAccepted(() => trustIn([proxy])),
    ),
    { variable: 'TENANCY_TRUSTED_PROXIES' },
  )
  readonly trustedProxies?: readonly string[];

  /**
   * Whether the answers of tenants' routes name in `Vary` what of the request decides on the tenant, so that no cache in front
   * gives one tenant the answers of another. Default true.
   *
   * @see docs/resolving.md#caches
   */
  @Option(flag(), { variable: 'TENANCY_VARY' })
  readonly vary: boolean = true;
}

export type ResolutionOptions = Given<Omit<CheckedResolutionOptions, 'resolvers'>> &
  Pick<CheckedResolutionOptions, 'resolvers'>;
