/**
 * The headers that hold credentials, in lower case: API keys, master keys, tokens, cookies. Logs must not show them.
 */
export const SECRET_HEADERS: readonly string[] = [
  'authorization',
  'cookie',
  'proxy-authorization',
  'set-cookie',
  'x-api-key',
  'x-master-key',
];
