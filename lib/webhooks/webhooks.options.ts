import { isIP } from 'node:net';
import {
  flag,
  group,
  integer,
  isInteger,
  isPlainObject,
  kind,
  listOf,
  milliseconds,
  text,
  texts,
} from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';
import type { FieldError } from '../common/tenancy.errors';
import { isAddressRange } from './client/callable-addresses';
import { CheckedDeliveriesOptions } from './deliveries/deliveries.options';

export const WEBHOOKS_OPTIONS = Symbol('WEBHOOKS_OPTIONS');

const DAY_MS = 86_400_000;
export const MAX_SECRET_OVERLAP_MS = 7 * DAY_MS;

const KEY_BYTES = 32;
const KEY_RULE = `give ${KEY_BYTES} random bytes in base64, as "openssl rand -base64 ${KEY_BYTES}" prints them`;
const RANGES = "list addresses or ranges, such as '10.0.0.0/8' or 'fd00::/8'";
/** It stands in each row. */
const KEY_ID = /^[\w.-]{1,64}$/;

@OptionsRule<CheckedWebhooksOptions>((_options, { encryptionKeys, encryptionKeyId }) => [
  isPlainObject(encryptionKeys) && currentKeyProblem(Object.keys(encryptionKeys), encryptionKeyId),
])
export class CheckedWebhooksOptions {
  /**
   * The keys that the secrets of endpoints are encrypted with in the registry, by an id of your choice: 32 random bytes in
   * base64, as `openssl rand -base64 32` prints them. Keep an old key until `WebhookSecrets.reencrypt()` has been run with
   * a new one.
   */
  @Option(
    kind<Readonly<Record<string, string>>>('give { id: key }', (keys) => isPlainObject(keys), {
      show: () => 'not an object',
      inside: keyProblems,
    }),
    { required: true },
  )
  readonly encryptionKeys!: Readonly<Record<string, string>>;

  /** The id of the key that new secrets are encrypted with. Default: that of the only key; required with several. */
  @Option(text(), {
    defaultOf: ({ encryptionKeys }: Partial<CheckedWebhooksOptions>) => Object.keys(encryptionKeys ?? {})[0],
  })
  readonly encryptionKeyId!: string;

  /** Whether endpoints may have plain `http` URLs: for development, where receivers have no certificate. Default false. */
  @Option(flag())
  readonly allowHttp: boolean = false;

  /** The ports that URLs of endpoints may have. Default 443, with `allowHttp` 80, too. */
  @Option(listOf<number>('list numbers of ports', (port) => isInteger(port, 1, 65_535)), {
    defaultOf: ({ allowHttp }: CheckedWebhooksOptions) => (allowHttp ? [443, 80] : [443]),
  })
  readonly ports!: readonly number[];

  /**
   * Addresses and ranges that endpoints may be at although they are not public, such as `10.20.0.0/16`: for closed networks
   * and for development. Default none: loopback, private, link-local and all other special addresses are refused.
   */
  @Option(texts(RANGES, isAddressRange), { variable: 'TENANCY_WEBHOOKS_ALLOWED_ADDRESSES' })
  readonly allowedAddresses: readonly string[] = [];

  /**
   * Public addresses and ranges that endpoints may not be at: your own, where something listens that is not for everyone.
   * Those of the machine itself are refused anyway. Default none.
   */
  @Option(texts(RANGES, isAddressRange), { variable: 'TENANCY_WEBHOOKS_REFUSED_ADDRESSES' })
  readonly refusedAddresses: readonly string[] = [];

  /** The DNS servers that are asked for hosts of endpoints: `192.0.2.53`, `[2001:db8::53]:5353`. Default: the machine's. */
  @Option(texts("list addresses of DNS servers, such as '192.0.2.53' or '192.0.2.53:5353'", isServer))
  readonly dnsServers: readonly string[] = [];

  /** Certificates in PEM of authorities that are trusted besides the usual ones, for receivers in a closed network. Default none. */
  @Option(
    listOf<string>(
      'list certificates in PEM',
      (each) => typeof each === 'string' && each.includes('BEGIN CERTIFICATE'),
    ),
  )
  readonly certificateAuthorities: readonly string[] = [];

  /** How long a request may take as a whole, in milliseconds from 1 to 60,000. Default 15,000. */
  @Option(milliseconds(1, 60_000))
  readonly timeoutMs: number = 15_000;

  /** How long the old secret of an endpoint signs as well after a rotation, in milliseconds from 0 to 7 days. Default 86,400,000. */
  @Option(milliseconds(0, MAX_SECRET_OVERLAP_MS))
  readonly secretOverlapMs: number = DAY_MS;

  /** How many endpoints a tenant may have, 1 to 1,000. Default 20. */
  @Option(integer(1, 1_000))
  readonly maxEndpointsPerTenant: number = 20;

  /** How much is sent at once, and how long it is kept. */
  @Option(group(CheckedDeliveriesOptions))
  readonly deliveries: CheckedDeliveriesOptions = new CheckedDeliveriesOptions();
}

export type TenancyWebhooksOptions = Given<CheckedWebhooksOptions, 'deliveries'> &
  Pick<CheckedWebhooksOptions, 'encryptionKeys'>;

/** Options that are given where the module is imported. */
export class CheckedWebhooksExtras {
  /** Whether the routes `/tenant/webhooks` exist. They need `TenancyAccessModule`. Default false. */
  @Option(flag())
  readonly routes: boolean = false;
}

export type TenancyWebhooksExtras = Given<CheckedWebhooksExtras>;

/** No key is ever shown, and no id that may be a key in the wrong place. */
function keyProblems(keys: unknown, path: string): FieldError[] {
  const entries = Object.entries(keys as object) as [string, unknown][];
  if (entries.length === 0) return [{ field: path, message: 'is empty: give { id: key }' }];
  return entries.flatMap(([id, key], index) => {
    if (!KEY_ID.test(id))
      return [
        { field: path, message: `has a bad id at place ${index + 1}: use 1 to 64 of a-z A-Z 0-9 _ . -` },
      ];
    return isKey(key) ? [] : [{ field: `${path}.${id}`, message: `cannot be a key: ${KEY_RULE}` }];
  });
}

function isServer(server: string): boolean {
  const [, address = server] =
    /^\[(.+)\](?::\d{1,5})?$/.exec(server) ?? /^([\d.]+):\d{1,5}$/.exec(server) ?? [];
  return isIP(address) !== 0;
}

function isKey(key: unknown): boolean {
  if (typeof key !== 'string') return false;
  const bytes = Buffer.from(key, 'base64');
  return bytes.length === KEY_BYTES && bytes.toString('base64') === key;
}

function currentKeyProblem(ids: readonly string[], current: unknown): FieldError | false {
  const field = 'encryptionKeyId';
  if (current === undefined)
    return ids.length > 1 && { field, message: 'is missing: name the key for new secrets' };
  return !(ids as readonly unknown[]).includes(current) && { field, message: 'is no id of encryptionKeys' };
}
