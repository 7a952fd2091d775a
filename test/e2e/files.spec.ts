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
import { text } from 'node:stream/consumers';
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
import { uuidV7 } from '../../lib/common/uuid-v7';
import { FilesOfTenants } from '../../lib/files/files-of-tenants';
import { TenancyUsageModule, TenantUsage, UsageReports } from '../../lib/usage';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { resetClock, setClock } from '../support/set-clock';
import { startTestApp, type TestApp } from '../support/test-app';

const KEYS = [{ id: '1', secret: 'a secret of at least thirty-two characters' }];
const UNAVAILABLE = expect.objectContaining({ code: 'TENANCY_UNAVAILABLE', statusCode: 503 });
const DAMAGED = expect.objectContaining({ code: 'FILE_DAMAGED', statusCode: 500 });

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

  it('leaves no directory of a long key behind, and none is missing while another key needs it', async () => {
    const tenant = await fresh('long');
    const keys = Array.from({ length: 8 }, (_, i) => `${'x'.repeat(170)}${i}`);
    const putAndRemove = async (key: string) => {
      for (let times = 0; times < 5; times++) {
        await files.put(key, 'tea');
        await files.delete(key);
      }
    };
    await inside(tenant, async () => {
      await Promise.all(keys.map(putAndRemove));
      expect(await readdir(directoryOf(tenant))).toEqual([]);
      await files.put(keys[0], 'tea');
      await files.put(keys[1], 'tea');
      await files.delete(keys[0]);
      expect(await textOf(keys[1])).toBe('tea');
    });
  });

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
          () => running.app.get(FilesOfTenants).onTransition(acme, 'purge'),
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

  it('removes a day later what a killed process has kept for a tenant that was never made', async () => {
    const from = await fresh('original');
    await inside(from, () => files.put('a', 'tea'));
    const hooks = running.app.get(FilesOfTenants);
    const manager = { query: () => Promise.resolve([]) } as never;
    /** As of a process that is killed before the commit, or right after it. */
    const copyTo = (tenant: Tenant) => hooks.onProvision(tenant, manager, 'clone', { from, isMasked: false });
    const made = await fresh('made');
    const [never, lately] = ['t_never', 't_lately'].map((schemaName) => ({
      ...from,
      id: uuidV7(),
      schemaName,
    }));
    for (const tenant of [made, never, lately]) await copyTo(tenant);
    const notes = join(root, 'store', 't-.making');
    const note = ({ schemaName }: Tenant) => `f-${schemaName}`;
    const dayAgo = Date.now() / 1_000 - 86_500;
    for (const tenant of [made, never]) await utimes(join(notes, note(tenant)), dayAgo, dayAgo);
    // The clock of this process is a month ahead.
    setClock(30 * 86_400_000);
    const copy = await running.app.get(TenantProvisioner).clone('original', 'next');
    resetClock();
    expect(await readdir(notes)).toEqual([note(lately)]);
    expect(await readdir(join(root, 'store'))).toEqual(
      expect.arrayContaining([made, lately, copy].map(({ schemaName }) => `t-${schemaName}`)),
    );
    expect(await readdir(join(root, 'store'))).not.toContain('t-t_never');
    expect(await inside(made, () => textOf('a'))).toBe('tea');
    await hooks.onProvisionFailed(lately, 'clone');
    expect(await readdir(notes)).toEqual([]);
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

  it('gives no part of a version that has come just now, and reads nothing for HEAD', async () => {
    const url = await sign(acme);
    const { headers } = await ask(url);
    const open = jest.spyOn(files, 'get');
    const head = await fetch(new URL(url, running.url), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([
      200,
      '7',
      headers.get('etag'),
    ]);
    expect(open.mock.calls).toEqual([]);
    const look = files.head.bind(files);
    jest.spyOn(files, 'head').mockImplementationOnce(async (key) => {
      const info = await look(key);
      await files.put(key, '<p>ACME, Inc.', { contentType: 'text/html' });
      return info;
    });
    const part = { range: 'bytes=3-4', 'if-range': headers.get('etag')! };
    expect(await ask(url, part)).toMatchObject({ status: 200, body: '<p>ACME, Inc.' });
    await inside(acme, () => files.put('a b/ü&1.html', '<p>acme', { contentType: 'text/html' }));
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
