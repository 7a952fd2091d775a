import { group, isPlainObject, kind, text } from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';
import type { FieldError } from '../common/tenancy.errors';
import { CheckedDeliveriesOptions } from './deliveries/deliveries.options';

export const WEBHOOKS_OPTIONS = Symbol('WEBHOOKS_OPTIONS');

const KEY_BYTES = 32;
const KEY_RULE = `give ${KEY_BYTES} random bytes in base64, as "openssl rand -base64 ${KEY_BYTES}" prints them`;
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

  /** How much is sent at once, and how long it is kept. */
  @Option(group(CheckedDeliveriesOptions))
  readonly deliveries: CheckedDeliveriesOptions = new CheckedDeliveriesOptions();
}

export type TenancyWebhooksOptions = Given<CheckedWebhooksOptions, 'deliveries'> &
  Pick<CheckedWebhooksOptions, 'encryptionKeys'>;

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
