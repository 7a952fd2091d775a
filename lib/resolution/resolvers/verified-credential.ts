import type { IncomingMessage } from 'node:http';

/** Somebody who has entered a tenant to help. */
export interface SupportDetails {
  /** The id of the session. */
  readonly session: string;
  readonly who: string;
  readonly reason: string;
  /** Whether its first use is recorded already. */
  readonly isUsed: boolean;
}

/**
 * What a verified credential says about its sender. Frozen, because all requests with the same credential may share it.
 */
export interface CredentialDetails {
  readonly type: 'access_token' | 'api_key' | 'support';
  /** The owner: a token's `sub`, or the id of a key or of a support session. */
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Whether it names the tenants that it is good for. A credential that names no tenant is good for none. */
  readonly namesTenant: boolean;
  /** The id of its tenant, for a credential that belongs to exactly one. */
  readonly tenantId?: string;
  /** Of a support session: who has entered, and why. */
  readonly support?: SupportDetails;
  /** The payload of a token. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The same text for every request with the same credential, by which a repeated request is recognised. */
  readonly name: string;
}

/** A credential that a resolver has verified. Its text is shown neither by `util.inspect` nor as JSON. */
export class VerifiedCredential {
  readonly #text: string;
  readonly #details: CredentialDetails;

  constructor(text: string, details: CredentialDetails) {
    this.#text = text;
    this.#details = details;
  }

  get text(): string {
    return this.#text;
  }

  get details(): CredentialDetails {
    return this.#details;
  }
}

const CREDENTIALS = Symbol('nestjs-tenancy credentials');

type Carrier = IncomingMessage & { [CREDENTIALS]?: VerifiedCredential[] };

/** Stores a verified credential with its request, for the guard that authenticates. Once, however often it is read. */
export function leaveCredential(raw: IncomingMessage, credential: VerifiedCredential): void {
  const left = ((raw as Carrier)[CREDENTIALS] ??= []);
  if (!left.some(({ text }) => text === credential.text)) left.push(credential);
}

/** All credentials that were verified of an Express request or of a Fastify request, which wraps Node's. */
export function credentialsOf(
  request: IncomingMessage | { readonly raw: IncomingMessage },
): readonly VerifiedCredential[] {
  const raw = 'raw' in request ? request.raw : request;
  return (raw as Carrier)[CREDENTIALS] ?? [];
}

/**
 * The same request for resolvers to read once more, as of a connection, which lives longer than what it was opened with:
 * what they verify now is kept apart until `replaceCredentials`.
 */
export function readAnew(raw: IncomingMessage): IncomingMessage {
  return Object.create(raw, { [CREDENTIALS]: { value: undefined, writable: true } }) as IncomingMessage;
}

/** Puts what was verified of `anew` in the place of what was verified of `raw` before. */
export function replaceCredentials(raw: IncomingMessage, anew: IncomingMessage): void {
  (raw as Carrier)[CREDENTIALS] = (anew as Carrier)[CREDENTIALS];
}
