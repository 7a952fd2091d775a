import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export const CREDENTIALS = { accessKeyId: 'TESTKEY', secretAccessKey: 'a secret of the test server' };
export const REGION = 'eu-central-1';

export const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

interface Signed {
  readonly credential: string;
  readonly headers: string;
  readonly signature: string;
  readonly date: string;
  readonly payload: string;
  readonly expires?: number;
}

/** Why AWS' Signature Version 4 of a request is not right: the code of an error of S3. `undefined` when it is. */
export function wrongSignature(request: IncomingMessage, body: Buffer, now: number): string | undefined {
  const [path, query = ''] = (request.url ?? '').split('?');
  const signed = fromQuery(query) ?? fromHeaders(request);
  if (!signed) return 'AccessDenied';
  const [key, day, region, ...scope] = signed.credential.split('/');
  if (key !== CREDENTIALS.accessKeyId) return 'InvalidAccessKeyId';
  if (region !== REGION || scope.join('/') !== 's3/aws4_request') return 'AuthorizationHeaderMalformed';
  const at = Date.parse(signed.date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  if (!(Math.abs(now - at) < (signed.expires ?? 900) * 1_000))
    return signed.expires === undefined ? 'RequestTimeTooSkewed' : 'AccessDenied';
  if (/^[0-9a-f]{64}$/.test(signed.payload) && signed.payload !== sha256(body))
    return 'XAmzContentSHA256Mismatch';
  const names = signed.headers.split(';');
  const canonical = [
    request.method,
    path,
    query
      .split('&')
      .filter((each) => each !== '' && !each.startsWith('X-Amz-Signature='))
      .map((each) => (each.includes('=') ? each : `${each}=`))
      .sort()
      .join('&'),
    ...names.map(
      (name) =>
        `${name}:${String(request.headers[name] ?? '')
          .trim()
          .replaceAll(/ +/g, ' ')}`,
    ),
    '',
    signed.headers,
    signed.payload,
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', signed.date, [day, region, ...scope].join('/'), sha256(canonical)].join(
    '\n',
  );
  const signing = [day, region, ...scope].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${CREDENTIALS.secretAccessKey}`,
  );
  return hmac(signing, text).toString('hex') === signed.signature ? undefined : 'SignatureDoesNotMatch';
}

function fromHeaders({ headers }: IncomingMessage): Signed | undefined {
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=(.+), ?SignedHeaders=(.+), ?Signature=(.+)$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (credential === undefined) return undefined;
  const [date, payload] = [String(headers['x-amz-date']), String(headers['x-amz-content-sha256'])];
  return { credential, headers: signedHeaders, signature, date, payload };
}

function fromQuery(query: string): Signed | undefined {
  const given = new URLSearchParams(query);
  const signature = given.get('X-Amz-Signature');
  if (signature === null) return undefined;
  return {
    credential: String(given.get('X-Amz-Credential')),
    headers: String(given.get('X-Amz-SignedHeaders')),
    signature,
    date: String(given.get('X-Amz-Date')),
    payload: given.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
    expires: Number(given.get('X-Amz-Expires')),
  };
}
