/** Ends of the names of parameters that hold credentials, or what can be turned into one: `access_token`, `X-Amz-Signature`. */
const SECRET_NAME =
  /(?:key|token|secret|password|passwd|pwd|signature|sig|auth|authorization|credential|session|jwt|code)$/i;

/** A URL or path as a log may show it: what its parameters hold that may be secrets, by their names, is left out. */
export function loggedUrl(url: string): string {
  const start = url.indexOf('?') + 1;
  if (start === 0) return url;
  const parameters = url.slice(start).split('&');
  return url.slice(0, start) + parameters.map(shown).join('&');
}

/**
 * A serializer of requests: `pinoHttp({ serializers: { req: loggedRequest } })`. It takes what pino's own has made, and leaves
 * out what is secret in the URL and in that of the page before.
 */
export function loggedRequest<Logged extends LoggedRequest>(request: Logged): Logged {
  const { url, headers } = request;
  const referer = headers?.referer;
  return {
    ...request,
    ...(url !== undefined && { url: loggedUrl(url) }),
    // The same once more, in parts.
    query: undefined,
    ...(typeof referer === 'string' && { headers: { ...headers, referer: loggedUrl(referer) } }),
  };
}

export interface LoggedRequest {
  readonly url?: string;
  readonly query?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

function shown(parameter: string): string {
  // The last: a URL may be the value of a parameter, unescaped.
  const nested = parameter.lastIndexOf('?') + 1;
  const end = parameter.indexOf('=', nested);
  return end >= 0 && SECRET_NAME.test(decoded(parameter.slice(nested, end)))
    ? `${parameter.slice(0, end)}=[Redacted]`
    : parameter;
}

/** `to%6ben` is a token, and `tokens[]` are, too. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name).replace(/s?(?:\[\w*\])?$/, '');
  } catch {
    return name;
  }
}
