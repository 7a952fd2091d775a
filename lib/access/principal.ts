import { grants } from '../common/scopes';
import type { VerifiedCredential } from '../resolution/resolvers/verified-credential';
import { NotAnAccessTokenError } from './access.errors';

/** Who sent a request, and what they may do: frozen, with its scopes and claims. What `util.inspect` and JSON show of it holds no secret. */
export class Principal {
  readonly type: 'access_token' | 'api_key';
  /** Whose it is: the `sub` of a token, or the id of a key. */
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly #credential: VerifiedCredential;

  constructor(
    credential: VerifiedCredential,
    /** The tenant of the request; `undefined` where a token is used on a route that belongs to none. */
    readonly tenantId: string | undefined,
  ) {
    const { type, subject, scopes } = credential.details;
    this.type = type;
    this.subject = subject;
    this.scopes = scopes;
    this.#credential = credential;
    Object.freeze(this);
  }

  /** The text of the token or key, to call another service with on behalf of this one. Keep it out of logs. */
  credentials(): string {
    return this.#credential.text;
  }

  /** The verified payload of a token. @throws NotAnAccessTokenError for a key */
  claims(): Readonly<Record<string, unknown>> {
    const { claims } = this.#credential.details;
    if (!claims) throw new NotAnAccessTokenError();
    return claims;
  }

  /** Whether it may do what the scope says, by itself or by `resource:*`. */
  hasScope(scope: string): boolean {
    return grants(this.scopes, scope);
  }

  /** A name for records of what it did: `api key 0193…`, or the issuer and the subject of a token. */
  get name(): string {
    return this.#credential.details.name;
  }
}
