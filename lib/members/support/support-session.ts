export const SUPPORT_ACCESS = ['never', 'ask', 'allowed'] as const;

/** Whether people who support the application may enter a tenant: `ask` wants an owner's approval for each time. */
export type SupportAccess = (typeof SUPPORT_ACCESS)[number];

export const SUPPORT_STATUSES = ['waiting', 'open', 'revoked', 'expired', 'lapsed'] as const;

/** `waiting` for an owner's approval, which lapses when none comes in time. Only an `open` one lets in. */
export type SupportStatus = (typeof SUPPORT_STATUSES)[number];

/** Somebody enters a tenant to help, for a while. */
export interface SupportSession {
  /** UUID version 7. */
  readonly id: string;
  readonly tenantId: string;
  /** Who: the name of a master key, or what code or the command line said. */
  readonly actor: string;
  readonly reason: string;
  readonly scopes: readonly string[];
  /** How long it is open, from the beginning or from the approval on. */
  readonly minutes: number;
  readonly status: SupportStatus;
  readonly approvedBy: string | null;
  readonly approvedAt: Date | null;
  readonly firstUsedAt: Date | null;
  /** While it waits: until when it can be approved. */
  readonly expiresAt: Date;
  readonly endedAt: Date | null;
  readonly createdAt: Date;
  /** Begins at 1 and rises with every change. */
  readonly version: number;
}

/** A session that has just begun, the only moment at which its credential is known. */
export interface ShownSupportSession extends SupportSession {
  /** To be sent as `X-Support-Key`, and in no other place. */
  readonly credential: string;
}

type Moments = Pick<SupportSession, 'approvedAt' | 'expiresAt'> & {
  readonly endedAs: 'revoked' | 'expired' | 'lapsed' | null;
};

export function supportStatus({ approvedAt, expiresAt, endedAs }: Moments, now: number): SupportStatus {
  if (endedAs) return endedAs;
  if (expiresAt.getTime() <= now) return approvedAt ? 'expired' : 'lapsed';
  return approvedAt ? 'open' : 'waiting';
}
