export const INVITATION_STATUSES = ['pending', 'accepted', 'declined', 'revoked', 'expired'] as const;

/** Only a `pending` one can be accepted. */
export type InvitationStatus = (typeof INVITATION_STATUSES)[number];

/** Somebody is asked to become a member of a tenant. */
export interface Invitation {
  /** UUID version 7. It is no secret. */
  readonly id: string;
  readonly tenantId: string;
  /** As it was given. It is compared folded. */
  readonly email: string;
  /** Whether somebody with another address may accept it, or with one that nobody has verified. */
  readonly anyEmail: boolean;
  /** What the new member gets. A role that is gone by then is left out. */
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly status: InvitationStatus;
  /** The name of who has invited: of a member, a key, or a master key. */
  readonly invitedBy: string | null;
  /** The member who came of it. */
  readonly memberId: string | null;
  readonly expiresAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Begins at 1 and rises with every change. */
  readonly version: number;
}

/** An invitation that was just made or sent again, the only moment at which its secret is known. */
export interface ShownInvitation extends Invitation {
  /** What the invited person sends to accept: 256 random bits, with a prefix and a checksum. */
  readonly secret: string;
  /** Whether the mailer took the mail; `null` without a mailer. When it is false, send the invitation again. */
  readonly isMailed: boolean | null;
}
