export const MEMBER_STATUSES = ['active', 'blocked'] as const;

/** Only requests of an `active` member are admitted. */
export type MemberStatus = (typeof MEMBER_STATUSES)[number];

/** Who somebody is, wherever they belong. */
export interface MemberSubject {
  /** The `iss` of their tokens; `''` for a subject that the application itself knows. */
  readonly issuer: string;
  /** The `sub` of their tokens. It means nothing without the issuer: two of them may have the same. */
  readonly subject: string;
}

/** A person in one tenant. The same person has another one in each tenant that they belong to. */
export interface Member extends MemberSubject {
  /** UUID version 7. */
  readonly id: string;
  readonly tenantId: string;
  /** As it was given. It is compared folded. */
  readonly email: string | null;
  readonly name: string | null;
  /** As they were granted. One that is no longer declared, or that the plan does not include, gives nothing. */
  readonly roles: readonly string[];
  /** What they may do besides what their roles allow. */
  readonly scopes: readonly string[];
  readonly status: MemberStatus;
  readonly joinedAt: Date;
  readonly updatedAt: Date;
  /** Some seconds late, because it is written for many together. */
  readonly lastSeenAt: Date | null;
  /** Begins at 1 and rises with every change. */
  readonly version: number;
}
