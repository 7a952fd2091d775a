const STATUS: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  RequestTimeTooSkewed: 403,
  InvalidAccessKeyId: 403,
  SignatureDoesNotMatch: 403,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  MethodNotAllowed: 405,
  PreconditionFailed: 412,
  InvalidRange: 416,
  InternalError: 500,
  NotImplemented: 501,
  SlowDown: 503,
};

/** An error as S3 answers it. */
export class S3Error extends Error {
  readonly status: number;

  constructor(readonly code: string) {
    super(code);
    this.status = STATUS[code] ?? 400;
  }
}

export const xml = (name: string, content: string): string => `<${name}>${content}</${name}>`;

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const unescaped = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll(/&#x([0-9a-f]+);/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replaceAll('&amp;', '&');

/** What stands in the elements of that name, outside of others of it. */
export function elements(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, content]) => content);
}

export function element(text: string, name: string): string | undefined {
  const [content] = elements(text, name);
  return content === undefined ? undefined : unescaped(content);
}
