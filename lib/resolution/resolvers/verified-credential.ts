import type { IncomingMessage } from 'node:http';

/** What a verified credential says of whoever sent it. Frozen: all requests with the same one may share it. */
export interface CredentialDetails {
  readonly type: 'access_token' | 'api_key';
  /** Whose it is: a token's `sub`, or the id of a key. */
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Whether it names the tenants that it is good for: one that names none is good for none. */
  readonly namesTenant: boolean;
  /** The id of its tenant, where it can have but one. */
  readonly tenantId?: string;
  /** Of a token: its payload. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The same word for every request with the same credential: who repeats a request is known by it. */
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

/** Leaves a credential with the request that it came with, for whoever authenticates. Once, however often it is read. */
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
