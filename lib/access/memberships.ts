import type { CredentialDetails } from '../resolution/resolvers/verified-credential';
import type { Tenant } from '../registry/tenant';

/** Who sent a request, as a member of its tenant. Frozen. */
export interface PrincipalMember {
  /** UUID version 7, another one in each tenant. */
  readonly id: string;
  readonly email: string | null;
  readonly name: string | null;
  /** Those that count: declared, and included in the tenant's plan. */
  readonly roles: readonly string[];
  readonly joinedAt: Date;
}

export interface Membership {
  readonly member: PrincipalMember;
  /** What they may do in this tenant, as far as the credential was given for it. */
  readonly scopes: readonly string[];
}

/**
 * Tells whether the subject of a token belongs to a tenant. The module for members provides it; without that module a
 * token's own scopes count in each tenant that it names.
 */
export abstract class Memberships {
  /**
   * `undefined` for a subject that is no active member. At once when the answer is cached.
   *
   * @throws TenancyUnavailableError when the registry cannot tell
   */
  abstract find(
    details: CredentialDetails,
    tenant: Tenant,
  ): Membership | undefined | Promise<Membership | undefined>;
}
