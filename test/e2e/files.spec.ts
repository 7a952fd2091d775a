import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  TenancyModule,
  type Tenant,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
} from '../../lib';
import { DirectoryFileStore, TenancyFilesModule, TenantFiles } from '../../lib/files';
import { checkTenantAdapter } from '../../lib/testing';
import { TenancyUsageModule, TenantUsage, UsageReports } from '../../lib/usage';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { resetClock, setClock } from '../support/set-clock';
import { startTestApp, type TestApp } from '../support/test-app';

const KEYS = [{ id: '1', secret: 'a secret of at least thirty-two characters' }];
const UNAVAILABLE = expect.objectContaining({ code: 'TENANCY_UNAVAILABLE', statusCode: 503 });
const DAMAGED = expect.objectContaining({ code: 'FILE_DAMAGED', statusCode: 500 });

/** 1,024 bytes, which are three times as many characters on the disk. */
const LONGEST = 'Ä'.repeat(512);

describe('TenantFiles in a directory', () => {
  let database: TestDatabase;
  let root: string;
  let running: TestApp;
  let context: TenantContext;
  let files: TenantFiles;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    root = await mkdtemp(join(tmpdir(), 'files-spec-'));
    running = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        TenancyFilesModule.forRoot({
          store: new DirectoryFileStore(join(root, 'store')),
          maxBytes: 10_000_000,
        }),
        TenancyUsageModule.forRoot({
          plans: { free: { 'files.bytes': { limit: 1_000, per: 'month', hard: true } }, paid: {} },
          defaultPlan: 'paid',
        }),
      ],
    });
    context = running.app.get(TenantContext);
    files = running.app.get(TenantFiles);
    [acme, globex] = [await running.create({ slug: 'acme' }), await running.create({ slug: 'globex' })];
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
    await rm(root, { recursive: true, force: true });
  });

  const inside = <T>(tenant: Tenant, work: () => T): T => context.run(tenant, work);
  const textOf = async (key: string): Promise<string | undefined> => {
    const file = await files.get(key);
    return file && (await text(file.stream));
  };
  const fresh = async (slug: string, metadata = {}) => running.create({ slug, metadata });
  const directoryOf = ({ schemaName }: Tenant) => join(root, 'store', `t-${schemaName}`);
  const uploads = () => readdir(join(root, 'store', 'uploads'));

  it('keeps the contract of an adapter', async () => {
    const findings = await checkTenantAdapter({
      app: running.app,
      put: (key, value) => files.put(key, value),
      get: textOf,
      list: async () => (await files.list()).files.map(({ key }) => key),
    });
    expect(findings).toEqual([]);
  });

  it('gives back what was kept, with all that is known of it', () =>
    inside(acme, async () => {
      const kept = await files.put('reports/2026.pdf', Readable.from(['one ', Buffer.from('two')]), {
        contentType: 'application/pdf',
        metadata: { by: 'Zoë', 'page-count': '2' },
      });
      expect(kept).toEqual({
        key: 'reports/2026.pdf',
        size: 7,
        contentType: 'application/pdf',
        metadata: { by: 'Zoë', 'page-count': '2' },
        sha256: '8ab63e29a4ba14e4e1688f9c15e5af90895421358c945b0431f85d66977bd3d2',
        modifiedAt: expect.any(Date),
      });
      expect(await files.head('reports/2026.pdf')).toEqual(kept);
      const file = await files.get('reports/2026.pdf');
      expect([file?.info, await text(file!.stream)]).toEqual([kept, 'one two']);
      await files.put('empty', '');
      expect(await textOf('empty')).toBe('');
      expect((await files.head('empty'))?.size).toBe(0);
      expect([await files.get('nothing'), await files.head('nothing')]).toEqual([undefined, undefined]);
      await files.delete('reports/2026.pdf');
      await files.delete('reports/2026.pdf');
      expect(await files.head('reports/2026.pdf')).toBeUndefined();
    }));

  it.each([
    ...['', '/a', 'a/', 'a//b', '.', '..', 'a/..', '../a', 'a/./b', 'a\\b', 'a\0b', 'a\nb', '\ud800'],
    ...['A\u0308', `${LONGEST}a`, 7, null, undefined, ['a']],
  ])('refuses the key %j in words', async (key) => {
    const refused = { code: 'FILE_INVALID', statusCode: 400, field: 'key' };
    const calls: (() => Promise<unknown>)[] = [
      () => files.put(key as string, 'x'),
      () => files.get(key as string),
      () => files.delete(key as string),
      () => files.copy('a', key as string),
      () => files.signedUrl(key as string),
    ];
    for (const work of calls) await expect(inside(acme, work)).rejects.toMatchObject(refused);
  });

  it('refuses content types and metadata that cannot be kept', () =>
    inside(acme, async () => {
      for (const contentType of ['png', 'text/html\r\nX: y', '', `a/${'b'.repeat(200)}`])
        await expect(files.put('a', 'x', { contentType })).rejects.toMatchObject({ field: 'contentType' });
      for (const metadata of [
        { A: 'x' },
        { a: 'x'.repeat(3_000) },
        { a: 7 as never },
        { a: '\ud800' },
      ] as never[])
        await expect(files.put('a', 'x', { metadata })).rejects.toMatchObject({ field: 'metadata' });
    }));

  it('tells all keys apart, and lists them in order, page by page', async () => {
    const tenant = await fresh('keys');
    const keys = [
      'a',
      'a/b',
      'A',
      'a.',
      'a!',
      'a0',
      'con',
      '%41',
      'd-x',
      'ä',
      '💶',
      '.hidden',
      ' a',
      'a:b',
      LONGEST,
    ];
    const long = 'x'.repeat(80);
    keys.push(
      long,
      `${long}!`,
      `${long}/y`,
      `${long}0`,
      `${long}${long}`,
      `${long}${long}z`,
      `${'x'.repeat(79)}z`,
    );
    const sorted = [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    await inside(tenant, async () => {
      for (const key of keys) await files.put(key, `of ${key}`);
      for (const key of keys) expect(await textOf(key)).toBe(`of ${key}`);
      for (const limit of [1, 2, 3, 1_000]) {
        const listed: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await files.list({ limit, cursor });
          listed.push(...page.files.map(({ key }) => key));
          expect(page.files.length).toBeLessThanOrEqual(limit);
          cursor = page.cursor;
        } while (cursor !== undefined);
        expect(listed).toEqual(sorted);
      }
      for (const prefix of ['a', 'a/', long.slice(1), `${long}x`, 'nothing', 'Ä'])
        expect((await files.list({ prefix })).files.map(({ key }) => key)).toEqual(
          sorted.filter((key) => key.startsWith(prefix)),
        );
      const [first] = (await files.list({ prefix: 'a/b' })).files;
      expect(first).toEqual({ key: 'a/b', size: 6, modifiedAt: expect.any(Date) });
      for (const wrong of [
        { limit: 0 },
        { limit: 1_001 },
        { cursor: 'Li4' },
        { prefix: '../' },
        { prefix: '/' },
      ])
        await expect(files.list(wrong)).rejects.toMatchObject({ code: 'FILE_INVALID' });
    });
  });

  it('shows nothing of a file before it is complete, and keeps the earlier one when that fails', () =>
    inside(acme, async () => {
      async function* failing() {
        yield 'half ';
        expect(await uploads()).toHaveLength(1);
        expect([await textOf('draft'), await files.head('new')]).toEqual(['before', undefined]);
        throw new Error('the line broke');
      }
      await files.put('draft', 'before');
      for (const key of ['draft', 'new'])
        await expect(files.put(key, failing())).rejects.toThrow('the line broke');
      expect([await textOf('draft'), await files.head('new'), await uploads()]).toEqual([
        'before',
        undefined,
        [],
      ]);

      const signal = AbortSignal.abort(new Error('called off'));
      await expect(files.put('draft', 'x', { signal })).rejects.toThrow('called off');
      const source = Readable.from(Array.from({ length: 11 }, () => Buffer.alloc(1_000_000)));
      await expect(files.put('draft', source)).rejects.toMatchObject({
        code: 'FILE_TOO_LARGE',
        statusCode: 413,
      });
      expect([source.destroyed, await textOf('draft'), await uploads()]).toEqual([true, 'before', []]);

      const reading = await files.get('draft');
      await files.put('draft', 'after, and longer');
      expect([await text(reading!.stream), await textOf('draft')]).toEqual(['before', 'after, and longer']);
    }));

  it('removes what a killed process had begun a day ago, and nothing younger', async () => {
    const stale = join(root, 'other', 'uploads');
    const other = new DirectoryFileStore(join(root, 'other'));
    await other.head({ owner: 'x', key: 'a' });
    for (const name of ['old', 'young']) await writeFile(join(stale, name), 'x');
    const dayAgo = Date.now() / 1_000 - 86_500;
    await utimes(join(stale, 'old'), dayAgo, dayAgo);
    // The clock of this process is a month ahead.
    setClock(30 * 86_400_000);
    await new DirectoryFileStore(join(root, 'other')).head({ owner: 'x', key: 'a' });
    resetClock();
    expect(await readdir(stale)).toEqual(['young']);
  });

  it('gives the part that was asked for', () =>
    inside(acme, async () => {
      await files.put('digits', '0123456789');
      const part = async (range: Parameters<TenantFiles['get']>[1]) => {
        const file = await files.get('digits', range);
        return [file?.range, (await buffer(file!.stream)).toString()];
      };
      expect(await part({ start: 2, end: 4 })).toEqual([{ start: 2, end: 4 }, '234']);
      expect(await part({ start: 8 })).toEqual([{ start: 8, end: 9 }, '89']);
      expect(await part({ start: 8, end: 1_000 })).toEqual([{ start: 8, end: 9 }, '89']);
      expect(await part({ last: 3 })).toEqual([{ start: 7, end: 9 }, '789']);
      expect(await part({ last: 1_000 })).toEqual([{ start: 0, end: 9 }, '0123456789']);
      for (const range of [
        { start: 10 },
        { start: 5, end: 4 },
        { start: -1 },
        { last: 0 },
        { start: 0.5 },
        { last: NaN },
      ])
        await expect(files.get('digits', range)).rejects.toMatchObject({
          code: 'FILE_RANGE_INVALID',
          statusCode: 416,
        });
    }));

  it('copies within the tenant', () =>
    inside(acme, async () => {
      const source = await files.put('from', 'tea', { contentType: 'text/plain', metadata: { by: 'x' } });
      const copy = await files.copy('from', 'to/here');
      expect(copy).toEqual({ ...source, key: 'to/here', modifiedAt: expect.any(Date) });
      expect([await textOf('to/here'), await files.head('to/here')]).toEqual(['tea', copy]);
      await files.copy('from', 'from');
      expect(await textOf('from')).toBe('tea');
      await expect(files.copy('nothing', 'x')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    }));

  it('follows no symbolic link, and gives nothing that it has not written', async () => {
    const tenant = await fresh('links');
    await writeFile(join(root, 'secret'), 'of the machine');
    await inside(tenant, () => files.put('kept', 'tea'));
    await inside(globex, () => files.put('kept', 'of globex'));
    const own = directoryOf(tenant);
    await symlink(join(root, 'secret'), join(own, 'f-link'));
    await symlink(join(directoryOf(globex), 'f-kept'), join(own, 'f-theirs'));
    await symlink(directoryOf(globex), join(own, `d-${'x'.repeat(80)}`));
    await writeFile(join(own, 'f-foreign'), 'not written by the store');
    await writeFile(join(own, 'f-short'), '');
    await inside(tenant, () => files.put('cut', 'a long text'));
    await truncate(join(own, 'f-cut'), 5);
    await inside(tenant, async () => {
      for (const key of ['link', 'theirs', `${'x'.repeat(80)}kept`, 'foreign', 'short', 'cut'])
        for (const work of [() => files.get(key), () => files.head(key)])
          await expect(work()).rejects.toEqual(DAMAGED);
      await expect(files.put(`${'x'.repeat(80)}kept`, 'x')).rejects.toEqual(DAMAGED);
      await expect(files.delete(`${'x'.repeat(80)}kept`)).rejects.toEqual(DAMAGED);
      expect((await files.list({ prefix: 'k' })).files.map(({ key }) => key)).toEqual(['kept']);
      // In the place of a link a file is kept, and not where it leads.
      await files.put('link', 'tea');
    });
    expect(await readFile(join(root, 'secret'), 'utf8')).toBe('of the machine');
    const lifecycle = running.app.get(TenantLifecycle);
    await lifecycle.delete(tenant.id);
    await running.app.get(TenantPurge).purge(tenant.id);
    expect(await readdir(join(root, 'store'))).not.toContain(`t-${tenant.schemaName}`);
    expect(await inside(globex, () => textOf('kept'))).toBe('of globex');

    const linked = await fresh('linked');
    await symlink(directoryOf(globex), directoryOf(linked));
    await inside(linked, async () => {
      for (const work of [() => files.put('kept', 'x'), () => files.get('kept'), () => files.list()])
        await expect(work()).rejects.toEqual(DAMAGED);
    });
  });

  it('says that it is away, and not that there is nothing', async () => {
    const away = join(root, 'away');
    await inside(acme, () => files.put('kept', 'tea'));
    await rename(join(root, 'store'), away);
    try {
      await inside(acme, async () => {
        for (const work of [
          () => files.get('kept'),
          () => files.head('kept'),
          () => files.list(),
          () => files.put('kept', 'x'),
          () => files.delete('kept'),
          () => files.copy('kept', 'x'),
          () => files.onTransition(acme, 'purge'),
        ])
          await expect(work()).rejects.toEqual(UNAVAILABLE);
      });
    } finally {
      await rename(away, join(root, 'store'));
    }
    expect(await inside(acme, () => textOf('kept'))).toBe('tea');
  });

  describe('with usage', () => {
    const usedBy = async (tenant: Tenant) => {
      await running.app.get(TenantUsage).flush();
      const { metrics } = await running.app.get(UsageReports).of(tenant);
      return metrics.find(({ metric }) => metric === 'files.bytes')?.total;
    };

    it('counts the bytes that are kept, and refuses what exceeds the quota before it is kept', async () => {
      const tenant = await fresh('metered', { plan: 'free' });
      await inside(tenant, async () => {
        await files.put('a', 'x'.repeat(400));
        await files.copy('a', 'b');
        const exceeded = { code: 'QUOTA_EXCEEDED', statusCode: 402 };
        await expect(files.put('a', 'y'.repeat(201))).rejects.toMatchObject(exceeded);
        await expect(files.copy('a', 'c')).rejects.toMatchObject(exceeded);
        expect([await textOf('a'), await files.head('c'), await uploads()]).toEqual([
          'x'.repeat(400),
          undefined,
          [],
        ]);
        await files.put('c', 'z'.repeat(200));
      });
      expect(await usedBy(tenant)).toBe(1_000);
    });

    it('takes the count back when the file cannot be kept after all', async () => {
      const tenant = await fresh('released', { plan: 'free' });
      await inside(tenant, async () => {
        await files.put('a', 'x');
        // A directory in the place of a file cannot be replaced by one.
        await rename(join(directoryOf(tenant), 'f-a'), join(root, 'moved'));
        await mkdir(join(directoryOf(tenant), 'f-a'));
        await expect(files.put('a', 'x'.repeat(900))).rejects.toEqual(UNAVAILABLE);
        await files.put('b', 'x'.repeat(900));
      });
      expect(await usedBy(tenant)).toBe(901);
    });
  });

  it('gives a copy of a tenant its files, unless values are masked', async () => {
    const from = await fresh('original');
    await inside(from, async () => {
      await files.put('a/b', 'tea', { contentType: 'text/plain' });
      await files.put('c', 'milk');
    });
    const provisioner = running.app.get(TenantProvisioner);
    const copy = await provisioner.clone(from.slug, 'copy');
    const masked = await provisioner.clone(from.slug, 'masked', { mask: { note: { text: "'x'" } } });
    expect(await inside(copy, async () => [await textOf('a/b'), await textOf('c')])).toEqual(['tea', 'milk']);
    expect(await inside(copy, async () => (await files.head('a/b'))?.contentType)).toBe('text/plain');
    expect(await inside(masked, () => files.list())).toEqual({ files: [], cursor: undefined });
    await inside(copy, () => files.put('c', 'juice'));
    expect(await inside(from, () => textOf('c'))).toBe('milk');
  });

  it('fails the start in words when it has no store', async () => {
    const start = startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        TenancyFilesModule.forRoot({ maxBytes: 0, publicUrl: 'https://x/' } as never),
      ],
    });
    await expect(start).rejects.toMatchObject({ code: 'FILES_OPTIONS_INVALID' });
    await expect(start).rejects.toThrow(/store .*maxBytes .*publicUrl /s);
    expect(() => new DirectoryFileStore('')).toThrow(TypeError);
  });
});

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('A signed URL behind %s', (_platform, adapter) => {
  let database: TestDatabase;
  let root: string;
  let running: TestApp;
  let files: TenantFiles;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    root = await mkdtemp(join(tmpdir(), 'files-spec-'));
    running = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(notesOptions(database, { carryKeys: KEYS })),
          TenancyFilesModule.forRoot({ store: new DirectoryFileStore(root) }),
        ],
      },
      { adapter: adapter() as ExpressAdapter },
    );
    files = running.app.get(TenantFiles);
    [acme, globex] = [await running.create({ slug: 'acme' }), await running.create({ slug: 'globex' })];
    for (const tenant of [acme, globex])
      await inside(tenant, () =>
        files.put('a b/ü&1.html', `<p>${tenant.slug}`, { contentType: 'text/html' }),
      );
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
    await rm(root, { recursive: true, force: true });
  });
  afterEach(() => jest.restoreAllMocks());

  const inside = <T>(tenant: Tenant, work: () => T): T => running.app.get(TenantContext).run(tenant, work);
  const sign = (tenant: Tenant, options?: Parameters<TenantFiles['signedUrl']>[1], key = 'a b/ü&1.html') =>
    inside(tenant, () => files.signedUrl(key, options));
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(new URL(path, running.url), { headers });
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  const codeOf = async (path: string) => {
    const { status, body } = await ask(path);
    return [status, (JSON.parse(body) as { code: string }).code];
  };

  it('gives the file of its tenant, to be saved', async () => {
    const { status, headers, body } = await ask(await sign(acme));
    expect([status, body]).toEqual([200, '<p>acme']);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': expect.stringMatching(/^text\/html/),
      'content-length': '7',
      'content-disposition': `attachment; filename="__1.html"; filename*=UTF-8''%C3%BC%261.html`,
      'content-security-policy': expect.stringContaining('sandbox'),
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
    });
    const named = await ask(await sign(globex, { fileName: 'say "hi"\r\nX: y.html', inline: true }));
    expect([named.body, named.headers.get('content-disposition')]).toEqual([
      '<p>globex',
      `inline; filename="say _hi___X_ y.html"; filename*=UTF-8''say%20%22hi%22%0D%0AX%3A%20y.html`,
    ]);
  });

  it('gives parts, and nothing that the caller has already', async () => {
    const url = await sign(acme);
    const part = await ask(url, { range: 'bytes=3-4' });
    expect([part.status, part.body, part.headers.get('content-range')]).toEqual([206, 'ac', 'bytes 3-4/7']);
    expect(await ask(url, { range: 'bytes=-2' })).toMatchObject({ status: 206, body: 'me' });
    for (const range of ['bytes=0-1,3-4', 'lines=1-2', 'bytes=x'])
      expect(await ask(url, { range })).toMatchObject({ status: 200, body: '<p>acme' });
    const beyond = await ask(url, { range: 'bytes=7-' });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */7']);
    const etag = part.headers.get('etag')!;
    expect(await ask(url, { 'if-none-match': etag })).toMatchObject({ status: 304, body: '' });
    expect(await ask(url, { 'if-none-match': '"x"' })).toMatchObject({ status: 200 });
    expect(await ask(url, { range: 'bytes=3-4', 'if-range': etag })).toMatchObject({ status: 206 });
    expect(await ask(url, { range: 'bytes=3-4', 'if-range': '"x"' })).toMatchObject({ status: 200 });
  });

  it('is good for nothing else, and no longer than it says', async () => {
    const url = await sign(acme, { expiresInMs: 1_000 });
    const edited = [
      url.replace('1.html', '2.html'),
      `${url}&name=x.html`,
      `${url}&inline=true`,
      `${url}&key=c`,
      url.replace(acme.id, globex.id),
      url.replace(/&token=.*/, ''),
      '/tenant-files',
    ];
    for (const each of edited) expect(await codeOf(each)).toEqual([400, 'CARRIED_TOKEN_INVALID']);
    expect(await ask(url)).toMatchObject({ status: 200 });
    const now = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(now + 32_000);
    expect(await codeOf(url)).toEqual([400, 'CARRIED_TOKEN_INVALID']);
    for (const expiresInMs of [0, 999, 604_800_001, NaN, 1_000.5])
      await expect(sign(acme, { expiresInMs })).rejects.toThrow(RangeError);
  });

  it('gives nothing that is not there, nor of a tenant that is not active', async () => {
    expect(await codeOf(await sign(acme, {}, 'nothing'))).toEqual([404, 'FILE_NOT_FOUND']);
    const tenant = await running.create({ slug: 'brief' });
    await inside(tenant, () => files.put('a', 'x'));
    const url = await sign(tenant, {}, 'a');
    await running.app.get(TenantLifecycle).suspend('brief');
    expect(await codeOf(url)).toEqual([403, 'TENANT_NOT_ACTIVE']);
  });
});
