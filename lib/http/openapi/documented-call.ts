/** One call, as the document tells it. What the platform's routing and the parameters' classes say is not repeated. */
export interface DocumentedCall {
  readonly summary: string;
  /** By status; `undefined` for an answer without a body. */
  readonly answers: Readonly<Record<number, (new () => object) | undefined>>;
  /** Codes by status. What every call of the API may answer is not repeated. */
  readonly errors?: Readonly<Record<number, string>>;
  /** Request headers besides the credential. */
  readonly headers?: readonly (keyof typeof REQUEST_HEADERS)[];
  /** Path parameters, in the order of the path. */
  readonly params?: readonly (keyof typeof PATH_PARAMS)[];
  readonly optionalBody?: new () => object;
  readonly consumes?: readonly string[];
}

export const REQUEST_HEADERS = {
  'Idempotency-Key':
    '1 to 256 printable ASCII characters, kept 24 hours: the same body gets the first answer again, with Idempotent-Replayed: true',
  'If-Match': 'An ETag, or several, or *: the call does nothing unless the tenant or the key has one of them',
  'If-None-Match': 'An ETag that the caller has: 304 when the tenant or the key still has it',
} as const;

export const PATH_PARAMS = {
  tenant: 'The id or the slug of a tenant',
  domain: 'A host name, in any case, in punycode or not',
  run: 'The id of a migration run',
  key: 'The id of an API key',
  setting: 'The key of a declared setting',
} as const;

export const BODY_ERRORS = { 413: 'BODY_TOO_LARGE', 415: 'UNSUPPORTED_MEDIA_TYPE' };
export const IDEMPOTENCY_ERRORS = { 422: 'IDEMPOTENCY_KEY_REUSED' };
