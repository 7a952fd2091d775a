import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import {
  TenancyModule,
  type Tenant,
  TenantContext,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
} from '../../lib';
import { TenancyFilesModule, TenantFiles } from '../../lib/files';
import { checkTenantAdapter } from '../../lib/testing';
import { TenancyUsageModule, TenantUsage, UsageReports } from '../../lib/usage';
import { createTestDatabase, type TestDatabase } from './database';
import { json, sealed, sectionsOf } from './export-sections';
import { notesOptions } from './notes';
import type { StoreOfFiles } from './stores-of-files';
import { startTestApp, type TestApp } from './test-app';

/** Of two bytes a character, which are three times as many on a disk. */
const keyOf = (bytes: number): string => 'Ä'.repeat(bytes / 2) + 'a'.repeat(bytes % 2);

async function* failingAfter(bytes: Buffer) {
  yield await Promise.resolve(bytes);
  throw new Error('the line broke');
}

/** What TenantFiles promises, wherever the files are. */
export function itKeepsFiles(startStore: () => Promise<StoreOfFiles>): void {
  let database: TestDatabase;
  let stored: StoreOfFiles;
  let running: TestApp;
  let context: TenantContext;
  let files: TenantFiles;
  let acme: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    stored = await startStore();
    running = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        TenancyFilesModule.forRoot({ store: stored.store, maxBytes: 10_000_000 }),
        TenancyUsageModule.forRoot({
          plans: { free: { 'files.bytes': { limit: 1_000, per: 'month', hard: true } }, paid: {} },
          defaultPlan: 'paid',
        }),
      ],
    });
    context = running.app.get(TenantContext);
    files = running.app.get(TenantFiles);
    acme = await running.create({ slug: 'acme' });
  });
  afterAll(async () => {
    await running?.close();
    await stored?.close();
    await database?.drop();
  });

  const inside = <T>(tenant: Tenant, work: () => T): T => context.run(tenant, work);
  const textOf = async (key: string): Promise<string | undefined> => {
    const file = await files.get(key);
    return file && (await text(file.stream));
  };
  const fresh = async (slug: string, metadata = {}) => running.create({ slug, metadata });
  const usedBy = async (tenant: Tenant) => {
    await running.app.get(TenantUsage).flush();
    const { metrics } = await running.app.get(UsageReports).of(tenant);
    return metrics.find(({ metric }) => metric === 'files.bytes')?.total;
  };

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
    ...['A\u0308', 'a\uffff', `${'Ä'.repeat(512)}a`, 7, null, undefined, ['a']],
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
        { a: 'x'.repeat(1_900) },
        { 'tenancy-sha256': 'x' },
        { a: 7 as never },
        { a: '\ud800' },
      ] as never[])
        await expect(files.put('a', 'x', { metadata })).rejects.toMatchObject({ field: 'metadata' });
    }));

  it('tells all keys apart, and lists them in order, page by page', async () => {
    const tenant = await fresh('keys');
    const longest = keyOf(stored.room(tenant));
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
      'a+b',
      longest,
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
      await expect(files.put(`${longest}a`, 'x')).rejects.toMatchObject({ code: 'FILE_INVALID' });
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
        expect([await textOf('draft'), await files.head('new')]).toEqual(['before', undefined]);
        throw new Error('the line broke');
      }
      await files.put('draft', 'before');
      for (const key of ['draft', 'new'])
        await expect(files.put(key, failing())).rejects.toThrow('the line broke');
      expect([await textOf('draft'), await files.head('new'), await stored.uploads()]).toEqual([
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
      expect([source.destroyed, await textOf('draft'), await stored.uploads()]).toEqual([true, 'before', []]);

      const reading = await files.get('draft');
      await files.put('draft', 'after, and longer');
      expect([await text(reading!.stream), await textOf('draft')]).toEqual(['before', 'after, and longer']);
    }));

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

  it('counts the bytes that are kept, and refuses what exceeds the quota before it is kept', async () => {
    const tenant = await fresh('metered', { plan: 'free' });
    await inside(tenant, async () => {
      await files.put('a', 'x'.repeat(400));
      await files.copy('a', 'b');
      const exceeded = { code: 'QUOTA_EXCEEDED', statusCode: 402 };
      await expect(files.put('a', 'y'.repeat(201))).rejects.toMatchObject(exceeded);
      await expect(files.copy('a', 'c')).rejects.toMatchObject(exceeded);
      expect([await textOf('a'), await files.head('c'), await stored.uploads()]).toEqual([
        'x'.repeat(400),
        undefined,
        [],
      ]);
      await files.put('c', 'z'.repeat(200));
    });
    expect(await usedBy(tenant)).toBe(1_000);
  });

  it('loses nothing of a large file, whose parts are kept by nobody else', () =>
    inside(acme, async () => {
      const bytes = Buffer.alloc(9_500_000);
      for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);
      const pieces = Array.from({ length: 96 }, (_, index) =>
        bytes.subarray(index * 99_991, (index + 1) * 99_991),
      );
      const kept = await files.put('large', Readable.from(pieces), { metadata: { by: 'x' } });
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      expect(kept).toMatchObject({ size: bytes.length, sha256, metadata: { by: 'x' } });
      expect(await files.head('large')).toEqual(kept);
      expect((await buffer((await files.get('large'))!.stream)).equals(bytes)).toBe(true);
      const part = await files.get('large', { start: 8_388_600, end: 8_388_619 });
      expect((await buffer(part!.stream)).equals(bytes.subarray(8_388_600, 8_388_620))).toBe(true);
      await expect(files.put('large', failingAfter(bytes))).rejects.toThrow('the line broke');
      expect([await files.head('large'), await stored.uploads()]).toEqual([kept, []]);
    }));

  it('keeps one whole version of what several write at once', () =>
    inside(acme, async () => {
      const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(1_000));
      const kept = await Promise.all(texts.map((each) => files.put('contended', each)));
      const last = await files.head('contended');
      expect(kept.map(({ sha256 }) => sha256)).toContain(last?.sha256);
      expect(texts).toContain(await textOf('contended'));
      expect(await stored.uploads()).toEqual([]);
    }));

  it('removes all files of a purged tenant, however many, and none of others', async () => {
    const tenant = await fresh('purged');
    const twin = await fresh('purged-too');
    const many = Array.from({ length: 1_050 }, (_, index) => `many/${index}`);
    await inside(tenant, async () => {
      for (let at = 0; at < many.length; at += 50)
        await Promise.all(many.slice(at, at + 50).map((key) => files.put(key, '')));
    });
    await inside(twin, () => files.put('a', 'tea'));
    const own = (await stored.owners()).filter((name) => name.includes(tenant.schemaName));
    expect(own).toHaveLength(1);
    await running.app.get(TenantLifecycle).delete(tenant.id);
    await running.app.get(TenantPurge).purge(tenant.id);
    expect(await stored.owners()).not.toContain(own[0]);
    expect(await inside(twin, () => textOf('a'))).toBe('tea');
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

  it('leaves no file of a copy that was not made after all, and none of a backup is taken for one', async () => {
    const from = await fresh('uncopied');
    await inside(from, () => files.put('a', 'tea'));
    const before = await stored.owners();
    const within = () => Promise.reject(new Error('called off'));
    const provisioner = running.app.get(TenantProvisioner);
    await expect(provisioner.clone(from.slug, 'never', { within })).rejects.toThrow('called off');
    expect(await stored.owners()).toEqual(before);

    // A schema that came back from a backup, as its files did.
    await database.query(`DELETE FROM tenancy.tenants WHERE id = '${from.id}'`);
    const adopt = (options = {}) => provisioner.adopt(from.schemaName, 'adopted', options);
    await expect(adopt({ within })).rejects.toThrow('called off');
    expect(await inside(await adopt(), () => textOf('a'))).toBe('tea');
  });

  describe('in an export', () => {
    const exported = async (slug: string) => {
      const sink = new PassThrough();
      const [bytes] = await Promise.all([buffer(sink), running.app.get(TenantExport).export(slug, sink)]);
      return bytes;
    };
    const imported = (bytes: Buffer, slug: string) =>
      running.app.get(TenantImport).import(Readable.from([bytes], { objectMode: false }), { slug });

    it('comes along with all that is known of it, and not when it is damaged', async () => {
      const from = await fresh('exported');
      const about = { contentType: 'text/plain', metadata: { by: 'Zoë' } };
      const large = Buffer.alloc(9_000_000, 'large');
      const longest = keyOf(900);
      await inside(from, async () => {
        await files.put(longest, large);
        await files.put('a/b', 'tea', about);
        await files.put('c', 'milk');
      });
      const bytes = await exported(from.slug);
      const { tenant, items } = await imported(bytes, 'imported');
      expect(items).toEqual({ files: { items: 3, bytes: large.length + 7 } });
      await inside(tenant, async () => {
        expect((await files.list()).files.map(({ key }) => key)).toEqual(['a/b', 'c', longest]);
        expect([await files.head('a/b'), await textOf('a/b')]).toMatchObject([about, 'tea']);
        expect((await buffer((await files.get(longest))!.stream)).equals(large)).toBe(true);
      });

      await stored.damage(from, 'c');
      await expect(exported(from.slug)).rejects.toMatchObject({ code: 'FILE_DAMAGED', statusCode: 500 });
    });

    it('is not trusted by an import, which leaves nothing when it fails', async () => {
      const from = await fresh('forged');
      await inside(from, async () => {
        await files.put('a', 'tea');
        await files.put('b', 'milk');
      });
      const sections = sectionsOf(await exported(from.slug));
      const places = sections.flatMap(({ type }, place) => (type === 'I' ? [place] : []));
      const forge = (change: (about: Record<string, unknown>, place: number) => unknown) =>
        sealed(
          sections.map((section, place) => {
            if (section.type !== 'I') return section;
            const { about } = JSON.parse(section.payload.toString()) as { about: Record<string, unknown> };
            return json('I', { about: change(about, places.indexOf(place)) });
          }),
        );
      const before = await stored.owners();
      const forgeries: [Buffer, object][] = [
        [forge((about) => ({ ...about, key: '../../secret' })), { code: 'FILE_INVALID' }],
        [forge((about) => ({ ...about, key: 'a' })), { code: 'EXPORT_FILE_INVALID' }],
        [forge((about) => ({ ...about, contentType: 'x\r\ny' })), { code: 'FILE_INVALID' }],
        [forge((about) => ({ ...about, metadata: [] })), { code: 'EXPORT_FILE_INVALID' }],
        [forge(() => null), { code: 'EXPORT_FILE_INVALID' }],
        [forge((about, place) => ({ ...about, size: place ? 5 : 3 })), { code: 'EXPORT_FILE_INVALID' }],
        [
          forge((about, place) => (place ? { ...about, sha256: '0'.repeat(64) } : about)),
          { code: 'EXPORT_FILE_INVALID' },
        ],
      ];
      for (const [bytes, error] of forgeries)
        await expect(imported(bytes, 'never')).rejects.toMatchObject(error);
      expect(await stored.owners()).toEqual(before);
      await imported(
        forge((about) => about),
        'unforged',
      );
    });
  });
}
