import { flag, isAccepted, kind, secret, text, texts } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { isSlug } from '../registry/claim';
import { type CarryKey, carryKeysOf, isCarryKeys } from './carried/carried-token';
import { trustIn } from './http/tenant-request';
import type { TenantResolver } from './resolvers/tenant-resolver';

export const RESOLUTION_OPTIONS = Symbol('RESOLUTION_OPTIONS');

const CARRY_KEYS_RULE =
  'give a list of { id, secret }: ids of 1 to 32 characters of a-z A-Z 0-9 _ -, each once; secrets of at least 32 characters';

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

  /**
   * The keys that sign carried tenants. The first one signs, all of them are good: to rotate, put the new one behind the old
   * one in all instances, then in front, and remove the old one when nothing that it has signed is under way. In the
   * variable they are `id:secret`, separated by commas. Default none: no tenant can be carried.
   *
   * @see docs/queues.md#through-any-broker
   */
  @Option(
    {
      ...secret<readonly CarryKey[]>(CARRY_KEYS_RULE, isCarryKeys),
      read: carryKeysOf,
      textRemedy: 'list id:secret, separated by commas; secrets of at least 32 characters',
    },
    { variable: 'TENANCY_CARRY_KEYS' },
  )
  readonly carryKeys?: readonly CarryKey[];
}

export type ResolutionOptions = Given<Omit<CheckedResolutionOptions, 'resolvers'>> &
  Pick<CheckedResolutionOptions, 'resolvers'>;
