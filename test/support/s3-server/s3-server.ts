import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Bucket, keptHeaders, requireChecksum, type StoredObject } from './objects';
import { element, elements, escaped, S3Error, xml } from './s3-error';
import { CREDENTIALS, REGION, wrongSignature } from './signature';

export const BUCKET = 'files';

/** A request of S3, such as `PUT` of an object. */
export interface S3Call {
  readonly method: string;
  /** `''` for the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

/** A server that speaks to the SDK as S3 does: what TenantFiles needs of its protocol, and what it must not do. */
export interface S3Server {
  readonly url: string;
  readonly bucket: Bucket;
  /** `PUT a/b`, `POST a/b?uploads` */
  readonly calls: string[];
  /** Called before each answer. What it throws is answered; while it does not resolve, nothing is. */
  fault?: (call: S3Call, response: ServerResponse) => unknown;
  /** Its own clock. Default that of the process, which a test may set. */
  now: () => number;
  client(config?: S3ClientConfig): S3Client;
  close(): Promise<void>;
}

export async function startS3Server(): Promise<S3Server> {
  const bucket = new Bucket();
  const clients: S3Client[] = [];
  const server = createServer((request, response) => {
    answer(running, request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      const { code, status } = error instanceof S3Error ? error : new S3Error('InternalError');
      if (!(error instanceof S3Error)) console.error(error);
      response.writeHead(status, { 'content-type': 'application/xml' });
      response.end(request.method === 'HEAD' ? undefined : xml('Error', xml('Code', code)));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running: S3Server = {
    url,
    bucket,
    calls: [],
    now: () => Date.now(),
    client(config = {}) {
      const own = { endpoint: url, region: REGION, credentials: CREDENTIALS, forcePathStyle: true };
      const client = new S3Client({ ...own, ...config });
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return running;
}

async function answer(server: S3Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request);
  const [path, rawQuery = ''] = (request.url ?? '').split('?');
  const [, name, ...rest] = path.split('/').map(decodeURIComponent);
  const call: S3Call = {
    ...{ method: String(request.method), key: rest.join('/'), request, body },
    query: new URLSearchParams(rawQuery),
  };
  const operation = ['uploads', 'uploadId', 'delete', 'list-type'].find((each) => call.query.has(each));
  server.calls.push(`${call.method} ${call.key}${operation ? `?${operation}` : ''}`);
  await server.fault?.(call, response);
  const wrong = wrongSignature(request, body, server.now());
  if (wrong) throw new S3Error(wrong);
  if (name !== BUCKET) throw new S3Error('NoSuchBucket');
  requireChecksum(request.headers, body);
  if (call.key === '') return ofBucket(server.bucket, call, response);
  if (call.query.has('uploads') || call.query.has('uploadId')) return ofUpload(server.bucket, call, response);
  return ofObject(server.bucket, call, response);
}

function send(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
}

function ofBucket(bucket: Bucket, { method, query, body, request }: S3Call, response: ServerResponse): void {
  if (method === 'HEAD') return void response.writeHead(200).end();
  if (method === 'GET' && query.get('list-type') === '2') {
    const limit = Math.min(1_000, Number(query.get('max-keys') ?? 1_000));
    const prefix = query.get('prefix') ?? '';
    const { objects, isTruncated } = bucket.list(prefix, query.get('start-after') ?? '', limit);
    const isEncoded = query.get('encoding-type') === 'url';
    const shown = (key: string) =>
      isEncoded ? encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') : escaped(key);
    const contents = objects.map(([key, { size, modifiedAt, etag }]) =>
      xml(
        'Contents',
        xml('Key', shown(key)) +
          xml('Size', String(size)) +
          xml('ETag', escaped(etag)) +
          xml('LastModified', modifiedAt.toISOString()),
      ),
    );
    const more = xml('IsTruncated', String(isTruncated)) + xml('KeyCount', String(objects.length));
    return send(response, xml('ListBucketResult', more + contents.join('')));
  }
  if (method === 'GET' && query.has('uploads')) {
    const open = [...bucket.uploads].filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''));
    const listed = open.map(([id, { key, initiatedAt }]) =>
      xml(
        'Upload',
        xml('Key', escaped(key)) + xml('UploadId', id) + xml('Initiated', initiatedAt.toISOString()),
      ),
    );
    return send(response, xml('ListMultipartUploadsResult', listed.join('')));
  }
  if (method === 'POST' && query.has('delete')) {
    const { 'content-md5': md5, 'x-amz-checksum-crc32': crc } = request.headers;
    if (md5 === undefined && crc === undefined) throw new S3Error('InvalidRequest');
    const keys = elements(body.toString(), 'Object').map((object) => element(object, 'Key')!);
    if (keys.length === 0 || keys.length > 1_000) throw new S3Error('MalformedXML');
    for (const key of keys) bucket.objects.delete(key);
    return send(response, xml('DeleteResult', ''));
  }
  throw new S3Error('NotImplemented');
}

function ofUpload(
  bucket: Bucket,
  { method, key, query, body, request: { headers } }: S3Call,
  response: ServerResponse,
): void {
  if (method === 'POST' && query.has('uploads'))
    return send(
      response,
      xml(
        'InitiateMultipartUploadResult',
        xml('UploadId', bucket.begin(key, headers)) + xml('Key', escaped(key)),
      ),
    );
  const id = String(query.get('uploadId'));
  if (bucket.upload(id).key !== key) throw new S3Error('NoSuchUpload');
  if (method === 'DELETE') {
    bucket.uploads.delete(id);
    return void response.writeHead(204).end();
  }
  if (method === 'PUT') {
    const checksum = headers['x-amz-checksum-crc32'] as string | undefined;
    const { etag } = bucket.addPart(id, Number(query.get('partNumber')), body, checksum);
    const told = checksum === undefined ? {} : { 'x-amz-checksum-crc32': checksum };
    return void response.writeHead(200, { etag, ...told }).end();
  }
  if (method === 'POST') {
    const parts = elements(body.toString(), 'Part').map((part) => ({
      number: Number(element(part, 'PartNumber')),
      etag: String(element(part, 'ETag')),
      checksum: element(part, 'ChecksumCRC32'),
    }));
    const { etag } = bucket.complete(id, parts);
    return send(response, xml('CompleteMultipartUploadResult', xml('ETag', escaped(etag))));
  }
  throw new S3Error('NotImplemented');
}

function ofObject(
  bucket: Bucket,
  { method, key, query, body, request: { headers } }: S3Call,
  response: ServerResponse,
): void {
  const from = headers['x-amz-copy-source'];
  if (method === 'PUT' && from !== undefined) {
    const [, sourceKey] = /^\/?files\/(.*)$/.exec(decodeURIComponent(String(from))) ?? [];
    if (sourceKey === undefined) throw new S3Error('NoSuchBucket');
    const { etag, modifiedAt } = bucket.copy(bucket.get(sourceKey), sourceKey === key, key, headers);
    const told = xml('ETag', escaped(etag)) + xml('LastModified', modifiedAt.toISOString());
    return send(response, xml('CopyObjectResult', told));
  }
  if (method === 'PUT') {
    const { etag } = bucket.put(key, [body], keptHeaders(headers));
    return void response.writeHead(200, { etag }).end();
  }
  if (method === 'DELETE') {
    bucket.objects.delete(key);
    return void response.writeHead(204).end();
  }
  if (method !== 'GET' && method !== 'HEAD') throw new S3Error('MethodNotAllowed');
  const object = bucket.get(key);
  const wanted = headers['if-match'];
  if (wanted !== undefined && wanted !== object.etag) throw new S3Error('PreconditionFailed');
  const range = rangeOf(headers.range, object.size);
  const { start, end } = range ?? { start: 0, end: object.size - 1 };
  const disposition = query.get('response-content-disposition');
  response.writeHead(range ? 206 : 200, {
    ...object.headers,
    ...(disposition !== null && { 'content-disposition': disposition }),
    ...(range && { 'content-range': `bytes ${start}-${end}/${object.size}` }),
    etag: object.etag,
    'accept-ranges': 'bytes',
    'last-modified': object.modifiedAt.toUTCString(),
    'content-length': String(end - start + 1),
  });
  if (method === 'HEAD') response.end();
  else void write(response, object, start, end).catch(() => response.destroy());
}

async function write(response: ServerResponse, { pieces }: StoredObject, start: number, end: number) {
  let at = 0;
  for (const piece of pieces) {
    const part = piece.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at));
    at += piece.length;
    if (part.length > 0 && !response.write(part)) await once(response, 'drain');
  }
  response.end();
}

/** As S3: what is no range, or one of several, is passed over. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < start) return undefined;
  if (start >= size || (first === '' && last === '0')) throw new S3Error('InvalidRange');
  return { start, end };
}
