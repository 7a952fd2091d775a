/**
 * Ends of the names of parameters that hold credentials or can be exchanged for one: `access_token`, `X-Amz-Signature`.
 */
const SECRET_NAME =
  /(?:key|token|secret|password|passwd|pwd|signature|sig|auth|authorization|credential|session|jwt|code)$/i;

/** A URL or path for a log: values of parameters whose names suggest a secret are left out. */
export function loggedUrl(url: string): string {
  const start = url.indexOf('?') + 1;
  if (start === 0) return url;
  const parameters = url.slice(start).split('&');
  return url.slice(0, start) + parameters.map(shown).join('&');
}

/**
 * A serializer of requests: `pinoHttp({ serializers: { req: loggedRequest } })`. It gets the result of pino's own
 * serializer and removes secrets from the URL and from the referring page's URL.
 */
export function loggedRequest<Logged extends LoggedRequest>(request: Logged): Logged {
  const { url, headers } = request;
  const referer = headers?.referer;
  return {
    ...request,
    ...(url !== undefined && { url: loggedUrl(url) }),
    // The same parameters, parsed.
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
  // The last `?`, because the value of a parameter may be a URL that is not escaped.
  const nested = parameter.lastIndexOf('?') + 1;
  const end = parameter.indexOf('=', nested);
  return end >= 0 && SECRET_NAME.test(decoded(parameter.slice(nested, end)))
    ? `${parameter.slice(0, end)}=[Redacted]`
    : parameter;
}

/** Recognizes `to%6ben` and `tokens[]` as tokens, too. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name).replace(/s?(?:\[\w*\])?$/, '');
  } catch {
    return name;
  }
}
