import { flag, milliseconds, secret } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';

export const ADMIN_OPTIONS = Symbol('ADMIN_OPTIONS');

export const MIN_MASTER_KEY_LENGTH = 32;

/** A key and who has it. */
export interface MasterKey {
  /** 1 to 100 characters. What is done with the key is recorded under it, and outlives the key: name the holder. */
  readonly name: string;
  /** At least 32 printable ASCII characters, no white space around them. */
  readonly key: string;
  /**
   * What it may do: `read` and `write` of `tenants`, `keys`, `migrations`, `settings` and `usage`, as in `tenants:read`, or
   * `tenants:*` for both. Default: all.
   */
  readonly scopes?: readonly string[];
}

/** Asked when the module starts, and at most once in `masterKeysTtlMs` while requests come. */
export type MasterKeySource = () => readonly MasterKey[] | Promise<readonly MasterKey[]>;

export class CheckedAdminOptions {
  /**
   * What callers send as `X-Master-Key`: at least 32 printable ASCII characters, no white space around them.
   * Whoever has it may do everything to every tenant. Its name in the record is `master`. Either this or `masterKeys`.
   */
  @Option(secretKeys<string>())
  readonly masterKey?: string;

  /**
   * Several keys, each with a name of its own; or a function that gives them, so that they can be rotated without a
   * restart. When it fails, takes longer than 5 s, or gives keys that cannot be used, the last good ones hold for 5
   * minutes; after that every call is answered with 503 until it works again.
   */
  @Option(secretKeys<readonly MasterKey[] | MasterKeySource>())
  readonly masterKeys?: readonly MasterKey[] | MasterKeySource;

  /** How long the answer of such a function is used, in milliseconds, an integer from 0. Default 10,000. */
  @Option(milliseconds(0))
  readonly masterKeysTtlMs: number = 10_000;
}

/** `MasterKeys` checks them, those that a function gives too. */
function secretKeys<T>() {
  return secret<T>('give keys', () => true);
}

export type TenancyAdminOptions = Given<CheckedAdminOptions>;

/** Given where the module is imported. */
export class CheckedAdminExtras {
  /** Whether there is `GET /admin/tenants/:tenant/usage`. It needs `TenancyUsageModule`. Default false. */
  @Option(flag())
  readonly usage: boolean = false;

  /** Whether there is `/admin/tenants/:tenant/keys`. It needs `TenancyAccessModule`. Default false. */
  @Option(flag())
  readonly apiKeys: boolean = false;

  /** Whether there is `/admin/tenants/:tenant/settings`. It needs `TenancySettingsModule`. Default false. */
  @Option(flag())
  readonly settings: boolean = false;
}

export type TenancyAdminExtras = Given<CheckedAdminExtras>;
