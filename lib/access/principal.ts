import { grants } from '../common/scopes';
import type { SupportDetails, VerifiedCredential } from '../resolution/resolvers/verified-credential';
import { NotAnAccessTokenError } from './access.errors';
import type { Membership, PrincipalMember } from './memberships';

/**
 * Who sent a request, and what they may do. Frozen, with its scopes and claims. `util.inspect` and JSON show no secret
 * of it.
 */
export class Principal {
  readonly type: 'access_token' | 'api_key' | 'support';
  /** Who it is: the `sub` of a token, or the id of a key or of a support session. */
  readonly subject: string;
  /** Of a member those of the membership, as far as the token was given for them. */
  readonly scopes: readonly string[];
  /** Who it is in the tenant; only with `TenancyMembersModule`, and never for a key. */
  readonly member: PrincipalMember | undefined;
  /** Who has entered the tenant for support, and why; `undefined` for everybody else. */
  readonly support: SupportDetails | undefined;
  readonly #credential: VerifiedCredential;

  constructor(
    credential: VerifiedCredential,
    /** The tenant of the request; `undefined` when a token is used on a route without a tenant. */
    readonly tenantId: string | undefined,
    membership?: Membership,
  ) {
    const { type, subject, scopes, support } = credential.details;
    this.type = type;
    this.subject = subject;
    this.scopes = membership?.scopes ?? scopes;
    this.member = membership?.member;
    this.support = support;
    this.#credential = credential;
    Object.freeze(this);
  }

  /**
   * The text of the token or key, with which another service can be called on behalf of this principal. Keep it out of
   * logs.
   */
  credentials(): string {
    return this.#credential.text;
  }

  /**
   * The verified payload of a token.
   *
   * @throws NotAnAccessTokenError when the principal is an API key or has entered for support
   */
  claims(): Readonly<Record<string, unknown>> {
    const { claims } = this.#credential.details;
    if (!claims) throw new NotAnAccessTokenError();
    return claims;
  }

  /** Whether it has the scope, or `resource:*` for it. */
  hasScope(scope: string): boolean {
    return grants(this.scopes, scope);
  }

  /** Its name in an audit: `api key 0193…`, or the issuer and the subject of a token. */
  get name(): string {
    return this.#credential.details.name;
  }
}
