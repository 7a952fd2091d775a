import { flag, milliseconds, secret } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';

export const ADMIN_OPTIONS = Symbol('ADMIN_OPTIONS');

export const MIN_MASTER_KEY_LENGTH = 32;

/** A key and its holder. */
export interface MasterKey {
  /**
   * 1 to 100 characters. The audit names it for everything done with the key, even when the key is gone: name the
   * holder.
   */
  readonly name: string;
  /** At least 32 printable ASCII characters, without white space around them. */
  readonly key: string;
  /**
   * What it may do: `read` and `write` for `tenants`, `events`, `keys`, `members`, `migrations`, `settings`, `usage` and `webhooks`, as in
   * `tenants:read`, or `tenants:*` for both; `support:enter` and `support:read` for support sessions, and `recovery:create`.
   * Default: everything.
   */
  readonly scopes?: readonly string[];
}

/** Called when the module starts, then at most once in `masterKeysTtlMs` while requests come. */
export type MasterKeySource = () => readonly MasterKey[] | Promise<readonly MasterKey[]>;

export class CheckedAdminOptions {
  /**
   * The key that callers send as `X-Master-Key`: at least 32 printable ASCII characters, without white space around
   * them. Its holder may do everything to every tenant. In the audit its name is `master`. Give either this or
   * `masterKeys`.
   */
  @Option(secretKeys<string>())
  readonly masterKey?: string;

  /**
   * Several keys, each with a name of its own; or a function that returns them, so that they can be rotated without a
   * restart. When the function fails, takes longer than 5 s, or returns keys that cannot be used, the last good keys
   * are used for 5 minutes; after that every call is answered 503 until the function works again.
   */
  @Option(secretKeys<readonly MasterKey[] | MasterKeySource>())
  readonly masterKeys?: readonly MasterKey[] | MasterKeySource;

  /** How long the result of such a function is used, in milliseconds, an integer from 0. Default 10,000. */
  @Option(milliseconds(0))
  readonly masterKeysTtlMs: number = 10_000;
}

/** `MasterKeys` checks the keys, because a function may return them later. */
function secretKeys<T>() {
  return secret<T>('give keys', () => true);
}

export type TenancyAdminOptions = Given<CheckedAdminOptions>;

/** Options that are given where the module is imported. */
export class CheckedAdminExtras {
  /** Whether the route `GET /admin/tenants/:tenant/usage` exists. It needs `TenancyUsageModule`. Default false. */
  @Option(flag())
  readonly usage: boolean = false;

  /** Whether the routes `/admin/tenants/:tenant/keys` exist. They need `TenancyAccessModule`. Default false. */
  @Option(flag())
  readonly apiKeys: boolean = false;

  /**
   * Whether the routes `members`, `roles` and `invitations`, `support-sessions` and `recovery-keys` under `/admin/tenants/:tenant` exist. They need
   * `TenancyMembersModule`. Default false.
   */
  @Option(flag())
  readonly members: boolean = false;

  /** Whether the routes `/admin/tenants/:tenant/settings` exist. They need `TenancySettingsModule`. Default false. */
  @Option(flag())
  readonly settings: boolean = false;

  /** Whether the routes `/admin/tenants/:tenant/webhooks` exist. They need `TenancyWebhooksModule`. Default false. */
  @Option(flag())
  readonly webhooks: boolean = false;
}

export type TenancyAdminExtras = Given<CheckedAdminExtras>;
