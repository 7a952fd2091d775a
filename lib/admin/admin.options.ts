export const ADMIN_OPTIONS = Symbol('ADMIN_OPTIONS');

export const MIN_MASTER_KEY_LENGTH = 32;

export interface TenancyAdminOptions {
  /**
   * What callers send as `X-Master-Key`: at least 32 printable ASCII characters, no white space around them.
   * Whoever has it may do everything to every tenant.
   */
  readonly masterKey: string | undefined;
}
