import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { buffer, text } from 'node:stream/consumers';
import { type Tenant, TenantContext, type TenantStore } from '../../lib';
import type { ResourceMeter } from '../../lib/context/resource-meter';
import {
  DirectoryFileStore,
  type FilePlace,
  type FileStore,
  type SignedUpload,
  TenantFiles,
  type UploadOptions,
} from '../../lib/files';
import type { FileLinks } from '../../lib/files/file-links';
import { FilesOfTenants } from '../../lib/files/files-of-tenants';
import { CheckedFilesOptions } from '../../lib/files/files.options';
import { S3FileStore, type S3FileStoreOptions } from '../../lib/files/s3';
import { resetClock, setClock } from '../support/set-clock';
import { BUCKET, type S3Server, startS3Server } from '../support/s3-server/s3-server';
import { S3Error } from '../support/s3-server/s3-error';

const UNAVAILABLE = expect.objectContaining({ code: 'TENANCY_UNAVAILABLE', statusCode: 503 });
const DAMAGED = expect.objectContaining({ code: 'FILE_DAMAGED', statusCode: 500 });
const ABOUT = { contentType: 'text/plain', metadata: { by: 'Zoë' } };
const MEGABYTE = 1_048_576;

const forEver = (_done?: unknown) => new Promise(() => undefined);
const quietly = () => Promise.resolve();

describe('S3FileStore', () => {
  let server: S3Server;
  let store: S3FileStore;

  beforeAll(async () => {
    server = await startS3Server();
    store = storeOf();
  });
  afterAll(() => server?.close());
  afterEach(() => {
    delete server.fault;
    server.calls.length = 0;
  });

  function storeOf(options: Partial<S3FileStoreOptions> = {}): S3FileStore {
    return new S3FileStore({ client: server.client({ maxAttempts: 1 }), bucket: BUCKET, ...options });
  }
  const place = (key: string, owner = 'acme'): FilePlace => ({ owner, key });
  const put = (key: string, body: string | Buffer, on = store) =>
    on.put(place(key), Readable.from([Buffer.from(body)]), ABOUT, quietly);
  const large = (megabytes = 9) => Buffer.alloc(megabytes * MEGABYTE, 'large');
  const textOf = async (key: string, on = store) => {
    const file = await on.open(place(key));
    return file && text(file.stream);
  };
  const everyCall = (on: S3FileStore): [string, () => Promise<unknown>][] => [
    ['put', () => put('new', 'x', on)],
    ['put of a large one', () => put('new', large(), on)],
    ['open', () => on.open(place('kept'))],
    ['head', () => on.head(place('kept'))],
    ['remove', () => on.remove(place('kept'))],
    ['list', () => on.list('acme', { prefix: '', limit: 10 })],
    ['copy', () => on.copy(place('kept'), place('new'), quietly)],
    ['removeAll', () => on.removeAll('acme')],
  ];

  it('keeps each file as one object under the schema of its tenant, with what is known of it', async () => {
    await put('a b/ü+%&=?.txt', 'tea');
    const object = server.bucket.get('acme/a b/ü+%&=?.txt');
    expect(object.headers).toEqual({
      'content-type': 'text/plain',
      'x-amz-meta-by': 'Zo%C3%AB',
      'x-amz-meta-tenancy-sha256': createHash('sha256').update('tea').digest('hex'),
    });
    expect(await textOf('a b/ü+%&=?.txt')).toBe('tea');
    await store.put(place('x', 'of/all + ü'), Readable.from(['x']), ABOUT, quietly);
    expect([...server.bucket.objects.keys()].filter((key) => key.startsWith('of'))).toEqual([
      'of%2Fall%20%2B%20%C3%BC/x',
    ]);
    expect((await store.list('of/all + ü', { prefix: '', limit: 10 })).files).toMatchObject([{ key: 'x' }]);
    await storeOf({ prefix: 'other/' }).removeAll('acme');
    expect(await textOf('a b/ü+%&=?.txt')).toBe('tea');
  });

  it('sends a small file at once, and a large one in parts to another place, from which S3 copies it', async () => {
    await put('small', 'tea');
    expect(server.calls).toEqual(['PUT acme/small', 'HEAD acme/small']);
    server.calls.length = 0;
    await put('large', large(17));
    const calls = server.calls.map((call) => call.replaceAll(/[0-9a-f-]{36}/g, '…'));
    expect(calls.filter((call) => call !== 'GET ?uploads' && call !== 'GET ?list-type')).toEqual([
      'POST .uploads/…?uploads',
      ...Array<string>(3).fill('PUT .uploads/…?uploadId'),
      'POST .uploads/…?uploadId',
      'PUT acme/large',
      'HEAD acme/large',
      'DELETE .uploads/…',
    ]);
  });

  it('never shows a large file that is not to be: its quota, its source, S3 failing at any step', async () => {
    const before = large(10);
    await put('draft', before);
    const digest = (await store.head(place('draft')))?.sha256;
    const left = () => [
      ...[...server.bucket.objects.keys()].filter((key) => key.startsWith('.uploads/')),
      ...server.bucket.uploads.keys(),
    ];
    const exceeded = () => Promise.reject(new Error('the quota'));
    const body = Readable.from([large()]);
    await expect(store.put(place('draft'), body, ABOUT, exceeded)).rejects.toThrow('the quota');
    async function* breaking() {
      yield await Promise.resolve(large());
      throw new Error('the line broke');
    }
    await expect(store.put(place('draft'), breaking(), ABOUT, quietly)).rejects.toThrow('the line broke');
    expect([body.destroyed, left()]).toEqual([true, []]);
    const steps: [method: string, isStep: (key: string, query: URLSearchParams) => boolean][] = [
      ['POST', (_key, query) => query.has('uploads')],
      ['PUT', (_key, query) => query.get('partNumber') === '2'],
      ['POST', (_key, query) => query.has('uploadId')],
      ['PUT', (key) => key === 'acme/draft'],
    ];
    for (const [wanted, isStep] of steps) {
      server.fault = ({ method, key, query }) => {
        if (method === wanted && isStep(key, query)) throw new S3Error('InternalError');
      };
      await expect(put('draft', large())).rejects.toEqual(UNAVAILABLE);
      expect(left()).toEqual([]);
    }
    delete server.fault;
    expect((await store.head(place('draft')))?.sha256).toBe(digest);
  });

  it('keeps a file also when S3 does not say any more when that was', async () => {
    server.fault = ({ method }) => {
      if (method === 'HEAD') throw new S3Error('InternalError');
    };
    expect((await put('kept', 'tea')).modifiedAt).toBeInstanceOf(Date);
  });

  it('removes what killed processes had begun a day ago, and nothing younger', async () => {
    const { bucket } = server;
    bucket.put('.uploads/old', [Buffer.from('x')], {});
    const id = bucket.begin('.uploads/begun', {});
    bucket.put('acme/.uploads/a', [Buffer.from('x')], {});
    await put('large', large(), storeOf());
    expect([bucket.objects.has('.uploads/old'), bucket.uploads.has(id)]).toEqual([true, true]);
    bucket.upload(id).initiatedAt = new Date(Date.now() - 90_000_000);
    bucket.objects.set('.uploads/old', { ...bucket.get('.uploads/old'), modifiedAt: new Date(0) });
    await put('large', large(), storeOf());
    expect([bucket.objects.has('.uploads/old'), bucket.uploads.has(id)]).toEqual([false, false]);
    expect(bucket.objects.has('acme/.uploads/a')).toBe(true);
  });

  it('removes no upload of others because its own clock is ahead', async () => {
    const { bucket } = server;
    bucket.put('.uploads/young', [Buffer.from('x')], {});
    const id = bucket.begin('.uploads/begun', {});
    const right = server.now;
    server.now = () => performance.timeOrigin + performance.now();
    setClock(30 * 86_400_000);
    try {
      // S3 refuses the first request, and the SDK asks again with S3's time.
      await put('large', large(), storeOf({ client: server.client({ maxAttempts: 3 }) }));
    } finally {
      resetClock();
      server.now = right;
    }
    expect([bucket.objects.has('.uploads/young'), bucket.uploads.has(id)]).toEqual([true, true]);
  });

  it('says that it is away, whatever S3 says or does not say, and never that there is no file', async () => {
    await put('kept', 'tea');
    const faults: [string, S3Server['fault']][] = [
      ['overloaded', () => Promise.reject(new S3Error('SlowDown'))],
      ['broken', () => Promise.reject(new S3Error('InternalError'))],
      ['forbidden', () => Promise.reject(new S3Error('AccessDenied'))],
      ['cut off', ({ request }) => forEver(request.socket.destroy())],
      ['nonsense', (_call, response) => forEver(response.writeHead(200).end('<html>'))],
      ['somebody else', (_call, response) => forEver(response.writeHead(200).end('<html></html>'))],
      ['silent', () => forEver()],
    ];
    for (const [what, fault] of faults) {
      server.fault = fault;
      const on = storeOf({ timeoutMs: what === 'silent' ? 50 : 10_000 });
      for (const [name, work] of everyCall(on)) {
        const isAnswered = what === 'nonsense' || what === 'somebody else';
        // S3 says no more of what it has removed.
        if (isAnswered && name === 'remove') continue;
        const isRead = ['open', 'head', 'copy'].includes(name);
        const error = isAnswered && isRead ? DAMAGED : UNAVAILABLE;
        expect([what, name, await work().catch((thrown: unknown) => thrown)]).toEqual([what, name, error]);
      }
    }
    delete server.fault;
    expect(await textOf('kept')).toBe('tea');

    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as { port: number };
    closed.close();
    const wrong: Partial<S3FileStoreOptions>[] = [
      { client: server.client({ maxAttempts: 1, endpoint: `http://127.0.0.1:${port}` }) },
      { client: server.client({ credentials: { accessKeyId: 'TESTKEY', secretAccessKey: 'another' } }) },
      { client: server.client({ credentials: () => Promise.reject(new Error('no credentials')) }) },
      { bucket: 'another' },
    ];
    for (const options of wrong)
      for (const [name, work] of everyCall(storeOf(options)))
        await expect(work().then(() => name)).rejects.toEqual(UNAVAILABLE);
  });

  it('ends a stream that S3 breaks off with an error, and not as if it were whole', async () => {
    await put('large', large());
    server.fault = (_call, response) => {
      const write = response.write.bind(response);
      response.write = ((bytes: Buffer) => {
        write(bytes.subarray(0, 100_000));
        setImmediate(() => response.destroy());
        return true;
      }) as typeof response.write;
    };
    const file = await store.open(place('large'));
    await expect(buffer(file!.stream)).rejects.toThrow();
  });

  it('gives no object that it has not written, and lists none that no file can be', async () => {
    const { bucket } = server;
    bucket.put('foreign/a', [Buffer.from('x')], { 'content-type': 'text/plain' });
    bucket.put('foreign/b', [Buffer.from('x')], {
      'content-type': 'text/plain',
      'x-amz-meta-tenancy-sha256': '0'.repeat(64),
      'x-amz-meta-by': '%zz',
    });
    for (const key of ['foreign/', 'foreign/folder/', 'foreign/../x', 'foreign//x'])
      bucket.put(key, [Buffer.alloc(0)], {});
    for (const key of ['a', 'b'])
      for (const work of [
        () => store.open(place(key, 'foreign')),
        () => store.head(place(key, 'foreign')),
        () => store.copy(place(key, 'foreign'), place('c'), quietly),
      ])
        await expect(work()).rejects.toMatchObject({ code: 'FILE_DAMAGED' });
    for (const limit of [1, 2, 10]) {
      const listed: string[] = [];
      let after: string | undefined;
      do {
        const page = await store.list('foreign', { prefix: '', after, limit });
        listed.push(...page.files.map(({ key }) => key));
        after = page.next;
      } while (after !== undefined);
      expect(listed).toEqual(['a', 'b']);
    }
    await store.removeAll('foreign');
    expect([...bucket.objects.keys()].filter((key) => key.startsWith('foreign/'))).toEqual([]);
  });

  it('copies the version whose bytes were counted, or none', async () => {
    await put('from', 'tea');
    const beforeKept = async (size: number) => {
      expect(size).toBe(3);
      await put('from', 'milk');
    };
    await expect(store.copy(place('from'), place('to'), beforeKept)).rejects.toEqual(UNAVAILABLE);
    expect(await store.head(place('to'))).toBeUndefined();
    server.bucket.isHeedless = true;
    const other = place('to', 'another');
    const copy = await store.copy(place('from'), other, async () => void (await put('from', 'juice')));
    const sha256 = createHash('sha256').update('juice').digest('hex');
    server.bucket.isHeedless = false;
    expect([copy, await store.head(other)]).toMatchObject([{ sha256 }, { sha256, size: 5 }]);
    expect(await store.copy(place('gone'), place('to'), quietly)).toBeUndefined();
  });

  it('copies several files of a tenant at once, and none any more when one has failed', async () => {
    const [from, to] = ['original', 'copy'].map((schemaName) => ({ id: 'a', schemaName }) as Tenant);
    for (const key of ['a', 'b', 'c'])
      await store.put(place(key, 'original'), Readable.from([Buffer.from(key)]), ABOUT, quietly);
    const making = { begin: jest.fn(quietly), end: jest.fn(quietly) };
    const options = Object.assign(new CheckedFilesOptions(), { store });
    const files = new FilesOfTenants(making as never, options);
    const copying = () =>
      files.onProvision(to, { query: quietly } as never, 'clone', { from, isMasked: false });
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    server.fault = ({ method, key }) => {
      if (method === 'PUT' && key === 'copy/a') throw new S3Error('InternalError');
      return method === 'PUT' && key === 'copy/b' ? gate : undefined;
    };
    let isOver = false;
    const work = copying().finally(() => (isOver = true));
    work.catch(() => undefined);
    while (!['a', 'b', 'c'].every((key) => server.calls.includes(`PUT copy/${key}`))) await turn();
    for (let count = 0; count < 100; count += 1) await turn();
    expect(isOver).toBe(false);
    release();
    await expect(work).rejects.toEqual(UNAVAILABLE);
    await files.onProvisionFailed(to, 'clone');
    const left = () => [...server.bucket.objects.keys()].filter((key) => key.startsWith('copy/'));
    expect([left(), making.begin.mock.calls, making.end.mock.calls]).toEqual([[], [[to]], [[to]]]);
    delete server.fault;
    await copying();
    expect(left()).toEqual(['copy/a', 'copy/b', 'copy/c']);
  });

  it('signs URLs of S3 itself, for one file and a while', async () => {
    await put('a b/ü.txt', 'tea');
    const disposition = `attachment; filename="_.txt"; filename*=UTF-8''%C3%BC.txt`;
    const sign = (key: string) => store.signedUrl(place(key), { expiresInMs: 60_000, disposition });
    const url = await sign('a b/ü.txt');
    expect(url).toMatch(/X-Amz-Expires=60&/);
    const answer = await fetch(url);
    expect([answer.status, await answer.text()]).toEqual([200, 'tea']);
    expect(answer.headers.get('content-disposition')).toBe(disposition);
    const part = await fetch(url, { headers: { range: 'bytes=0-1' } });
    expect([part.status, await part.text()]).toEqual([206, 'te']);
    for (const [from, to] of [
      ['.txt?', '.pdf?'],
      ['acme', 'globex'],
      ['attachment', 'inline'],
      ['X-Amz-Expires=60', 'X-Amz-Expires=600'],
    ])
      expect((await fetch(url.replace(from, to))).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
    expect((await fetch(await sign('nothing'))).status).toBe(404);
    setClock(61_000);
    expect((await fetch(url)).status).toBe(403);
    resetClock();
  });

  describe('signs uploads', () => {
    const context = new TenantContext({} as TenantStore);
    const tenant = { id: 'a', schemaName: 'acme' } as Tenant;
    const used: number[] = [];
    const meter: ResourceMeter = {
      admits: () => false,
      reserve: (_metric, size) => {
        if (size > 1_000) return Promise.reject(new Error('the quota'));
        used.push(size);
        return Promise.resolve({ release: () => void used.pop() });
      },
    };
    const filesIn = (files: FileStore) => {
      const options = Object.assign(new CheckedFilesOptions(), { store: files, maxBytes: 2_000 });
      return new TenantFiles(context, {} as FileLinks, options, meter);
    };
    const tea = { ...ABOUT, size: 3, sha256: createHash('sha256').update('tea').digest('hex') };
    const sign = (key: string, changes: Partial<UploadOptions> = {}, on: FileStore = store) =>
      context.run(tenant, () => filesIn(on).signedUpload(key, { ...tea, ...changes }));
    const send = async ({ url, headers }: SignedUpload, body = 'tea', more = {}) => {
      const answer = await fetch(url, { method: 'PUT', body, headers: { ...headers, ...more } });
      await answer.text();
      return answer.status;
    };

    it('of one file, whose bytes, type and metadata are those that were said', async () => {
      const upload = await sign('sent/a ü.txt');
      expect(await send(upload)).toBe(200);
      expect(await store.head(place('sent/a ü.txt'))).toMatchObject(tea);
      expect([await textOf('sent/a ü.txt'), used]).toEqual(['tea', [3]]);
      const other = await sign('sent/b');
      expect(await send(other, 'TEA')).toBe(400);
      expect(await send(other, 'milk')).toBe(403);
      expect(await send(other, 'tea', { 'content-type': 'text/html' })).toBe(403);
      expect(await send(other, 'tea', { 'x-amz-meta-by': 'me' })).toBe(403);
      expect(await send({ ...other, url: other.url.replace('acme', 'globex') })).toBe(403);
      expect((await fetch(other.url)).status).toBe(403);
      expect(await store.head(place('sent/b'))).toBeUndefined();
      setClock(301_000);
      expect(await send(other)).toBe(403);
      resetClock();
    });

    it('only of what may be kept, and only where the store can do that', async () => {
      const before = used.length;
      const refusals: [Partial<UploadOptions>, object][] = [
        [{ size: -1 }, { code: 'FILE_INVALID', field: 'size' }],
        [{ size: '3' as never }, { code: 'FILE_INVALID', field: 'size' }],
        [{ size: 2_001 }, { code: 'FILE_TOO_LARGE' }],
        [{ size: 1_001 }, { message: 'the quota' }],
        [{ sha256: 'x' }, { code: 'FILE_INVALID', field: 'sha256' }],
        [{ contentType: 'x' }, { code: 'FILE_INVALID', field: 'contentType' }],
        [{ expiresInMs: 1 }, { name: 'RangeError' }],
      ];
      for (const [changes, error] of refusals) await expect(sign('a', changes)).rejects.toMatchObject(error);
      await expect(sign('../a')).rejects.toMatchObject({ code: 'FILE_INVALID', field: 'key' });
      await expect(sign('a', {}, new DirectoryFileStore('never-made'))).rejects.toThrow(TypeError);
      const lost = storeOf({ client: server.client({ credentials: () => Promise.reject(new Error('x')) }) });
      await expect(sign('a', {}, lost)).rejects.toEqual(UNAVAILABLE);
      expect(used).toHaveLength(before);
    });
  });

  it('says which packages it needs, when it is used', async () => {
    const absent = (name: string) => () => {
      throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
    };
    const missing = (name: string) =>
      expect.objectContaining({
        code: 'PACKAGE_MISSING',
        message: expect.stringContaining(`npm install ${name}`),
      });
    const using = <T>(name: string, work: (Store: typeof S3FileStore) => T): T => {
      let outcome: T;
      jest.isolateModules(() => {
        jest.doMock(name, absent(name));
        outcome = work(
          jest.requireActual<typeof import('../../lib/files/s3')>('../../lib/files/s3').S3FileStore,
        );
      });
      return outcome!;
    };
    const options = { client: server.client(), bucket: BUCKET };
    const [sdk, presigner] = ['@aws-sdk/client-s3', '@aws-sdk/s3-request-presigner'];
    using(sdk, (Store) => expect(() => new Store(options)).toThrow(missing(sdk)));
    jest.dontMock(sdk);
    const link = { expiresInMs: 1_000, disposition: 'inline' };
    const signing = using(presigner, (Store) => new Store(options).signedUrl(place('a'), link));
    await expect(signing).rejects.toEqual(missing(presigner));
    jest.dontMock(presigner);
  });

  it('says what is wrong with its options', () => {
    const wrong: [object, RegExp][] = [
      [{}, /client .*bucket /s],
      [{ client: {}, bucket: BUCKET }, /client .*S3Client/s],
      [{ client: server.client(), bucket: 'a b' }, /bucket/],
      [{ client: server.client(), bucket: BUCKET, prefix: '/x' }, /prefix/],
      [{ client: server.client(), bucket: BUCKET, timeoutMs: 0 }, /timeoutMs/],
      [{ client: server.client(), bucket: BUCKET, region: 'x' }, /region/],
    ];
    for (const [options, message] of wrong)
      expect(() => new S3FileStore(options as S3FileStoreOptions)).toThrow(message);
  });
});
