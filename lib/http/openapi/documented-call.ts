/** One call in the document. What the routes and the classes of the parameters already say is left out. */
export interface DocumentedCall {
  readonly summary: string;
  /** By status; `undefined` for an answer without a body. */
  readonly answers: Readonly<Record<number, (new () => object) | undefined>>;
  /** Error codes by status, without those of every call. */
  readonly errors?: Readonly<Record<number, string>>;
  /** Request headers other than the credential. */
  readonly headers?: readonly (keyof typeof REQUEST_HEADERS)[];
  /** Path parameters, in the order of the path. */
  readonly params?: readonly (keyof typeof PATH_PARAMS)[];
  readonly optionalBody?: new () => object;
  readonly consumes?: readonly string[];
}

export const REQUEST_HEADERS = {
  'Idempotency-Key':
    '1 to 256 printable ASCII characters, stored for 24 hours: the same body gets the first answer again, with Idempotent-Replayed: true',
  'If-Match': 'An ETag, several, or *: the call has no effect unless what it is about has one of them',
  'If-None-Match': 'An ETag that the caller has: 304 when what it is about still has it',
} as const;

export const PATH_PARAMS = {
  tenant: 'The id or the slug of a tenant',
  domain: 'A host name, in any case, in punycode or not',
  run: 'The id of a migration run',
  move: 'The id of a move',
  key: 'The id of an API key',
  member: 'The id of a member',
  invitation: 'The id of an invitation',
  endpoint: 'The id of a webhook endpoint',
  delivery: 'The id of a webhook delivery',
  session: 'The id of a support session',
  recovery: 'The id of a recovery key',
  setting: 'The key of a declared setting',
} as const;

export const BODY_ERRORS = { 413: 'BODY_TOO_LARGE', 415: 'UNSUPPORTED_MEDIA_TYPE' };
export const IDEMPOTENCY_ERRORS = { 422: 'IDEMPOTENCY_KEY_REUSED' };
