export const API_KEY_STATUSES = ['active', 'blocked', 'expired', 'revoked'] as const;

/** What becomes of a request with the key: only an `active` one is let in. */
export type ApiKeyStatus = (typeof API_KEY_STATUSES)[number];

/** A key of a tenant, without its text, which nobody knows but who was given it. */
export interface ApiKey {
  /** UUID version 7; the key's text holds it. */
  readonly id: string;
  readonly tenantId: string;
  /** What it is for, for people. */
  readonly name: string;
  /** The last four characters of its text. */
  readonly hint: string;
  /** What it may do: `orders:read`, `orders:*`. Without any it may do nothing. */
  readonly scopes: readonly string[];
  /** Addresses and CIDR ranges that it may be used from. Empty: from everywhere. */
  readonly allowedIps: readonly string[];
  readonly status: ApiKeyStatus;
  readonly expiresAt: Date | null;
  readonly blockedAt: Date | null;
  readonly revokedAt: Date | null;
  /** Until when the text of before the last rotation works as well. */
  readonly overlapEndsAt: Date | null;
  /** Some seconds late: uses are written together. */
  readonly lastUsedAt: Date | null;
  /** 1 at first, and more with every change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A key at the only moment at which its text is known. */
export interface ShownApiKey extends ApiKey {
  /** The text itself, to be sent as `X-API-Key`. */
  readonly key: string;
}

type Moments = Pick<ApiKey, 'expiresAt' | 'blockedAt' | 'revokedAt'>;

export function statusOf({ expiresAt, blockedAt, revokedAt }: Moments, now: number): ApiKeyStatus {
  if (revokedAt) return 'revoked';
  if (expiresAt && expiresAt.getTime() <= now) return 'expired';
  return blockedAt ? 'blocked' : 'active';
}
