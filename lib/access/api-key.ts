export const API_KEY_STATUSES = ['active', 'blocked', 'expired', 'revoked'] as const;

/** Only requests with an `active` key are admitted. */
export type ApiKeyStatus = (typeof API_KEY_STATUSES)[number];

/** A key of a tenant, without its text, which only its recipient knows. */
export interface ApiKey {
  /** UUID version 7. It is part of the key's text. */
  readonly id: string;
  readonly tenantId: string;
  /** What it is for, written for people. */
  readonly name: string;
  /** The last four characters of its text. */
  readonly hint: string;
  /** What it may do: `orders:read`, `orders:*`. A key without scopes may do nothing. */
  readonly scopes: readonly string[];
  /** Addresses and CIDR ranges from which it may be used. Empty: from everywhere. */
  readonly allowedIps: readonly string[];
  readonly status: ApiKeyStatus;
  readonly expiresAt: Date | null;
  readonly blockedAt: Date | null;
  readonly revokedAt: Date | null;
  /** Until when the text from before the last rotation is valid as well. */
  readonly overlapEndsAt: Date | null;
  /** Some seconds late, because uses are written together. */
  readonly lastUsedAt: Date | null;
  /** Begins at 1 and rises with every change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A key just after it was made or rotated, the only moment at which its text is known. */
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
