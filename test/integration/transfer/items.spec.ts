import { createHash } from 'node:crypto';
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Injectable, Module, type Type } from '@nestjs/common';
import {
  type ExportOptions,
  type ImportedItem,
  type ImportOptions,
  OnProvision,
  OnTransfer,
  type Tenant,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantPurge,
  type TenantTransferHook,
} from '../../../lib';
import { seededRandom } from '../../../bench/random';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { json, sealed, type Section, sectionsOf } from '../../support/export-sections';
import type { TestApp } from '../../support/test-app';
import { schemasOf, startAppOn } from '../provisioning/app';

const KEY = 'a key that seals exports, of 32 characters or more';

/** What an adapter of the application keeps for each tenant, by name; and what a test has it do otherwise. */
@Injectable()
@OnProvision()
@OnTransfer()
class Pictures implements TenantTransferHook {
  readonly transferName = 'pictures';
  readonly kept = new Map<string, Map<string, Buffer>>();
  beforeItem?: (tenant: Tenant, name: string) => unknown;
  take = async (pictures: Map<string, Buffer>, { about, body }: ImportedItem): Promise<boolean> => {
    pictures.set(String(about), await buffer(body));
    return true;
  };
  ended = 0;

  of({ schemaName }: Tenant): Map<string, Buffer> {
    if (!this.kept.has(schemaName)) this.kept.set(schemaName, new Map());
    return this.kept.get(schemaName)!;
  }

  onProvision() {}

  onProvisionFailed({ schemaName }: Tenant): void {
    this.kept.delete(schemaName);
  }

  async *exportItems(tenant: Tenant) {
    try {
      for (const [name, bytes] of this.of(tenant)) {
        await this.beforeItem?.(tenant, name);
        yield { about: name, body: Readable.from([bytes]) };
      }
    } finally {
      this.ended += 1;
    }
  }

  async importItems(tenant: Tenant, items: AsyncIterable<ImportedItem>) {
    for await (const item of items) if (!(await this.take(this.of(tenant), item))) break;
  }
}

@Module({ providers: [Pictures] })
class PicturesModule {}

/** In one piece, and longer than a section of an export. */
const LARGE = Buffer.from(
  Array.from({ length: 50_000 }, (_, index) => `${index} of many different lines; `).join(''),
).subarray(0, 1_300_000);

describe('what a module keeps for tenants outside of PostgreSQL', () => {
  let here: TestDatabase;
  let there: TestDatabase;
  let source: TestApp;
  let target: TestApp;
  let bare: TestApp;
  let acme: Tenant;
  let file: Buffer;

  beforeAll(async () => {
    [here, there] = [await createTestDatabase(), await createTestDatabase()];
    const options = { sweeper: { intervalMs: 0 } };
    source = await startAppOn(here, options, { imports: [PicturesModule] });
    target = await startAppOn(there, options, { imports: [PicturesModule] });
    bare = await startAppOn(there, options);
    acme = await source.create({ slug: 'acme' });
    await here.query(`INSERT INTO ${acme.schemaName}.note (text) VALUES ('tea')`);
    const pictures = source.app.get(Pictures).of(acme);
    for (const [name, bytes] of Object.entries({ small: Buffer.from('png'), none: Buffer.alloc(0) }))
      pictures.set(name, bytes);
    pictures.set('large', LARGE);
    file = await exported('acme');
  });
  afterAll(async () => {
    for (const app of [source, target, bare]) await app?.close();
    for (const database of [here, there]) await database?.drop();
  });
  afterEach(() => {
    delete source.app.get(Pictures).beforeItem;
    target.app.get(Pictures).take = new Pictures().take;
  });

  async function exported(slug: string, options: ExportOptions = {}, app = source): Promise<Buffer> {
    const sink = new PassThrough();
    const [bytes] = await Promise.all([buffer(sink), app.app.get(TenantExport).export(slug, sink, options)]);
    return bytes;
  }

  let count = 0;
  const imported = (bytes: Buffer, options: ImportOptions = {}, app = target) =>
    app.app.get(TenantImport).import(Readable.from([bytes], { objectMode: false }), {
      slug: `copy-${++count}`,
      ...options,
    });
  const firstLine = (bytes: Buffer) => gunzipSync(bytes).toString('latin1', 0, 24);
  const picturesOf = (tenant: Tenant, app = target) =>
    Object.fromEntries(
      [...app.app.get(Pictures).of(tenant)].map(([name, bytes]) => [
        name,
        createHash('sha256').update(bytes).digest('hex'),
      ]),
    );

  async function expectNothingLeft(work: () => Promise<unknown>, error: object): Promise<void> {
    const state = async () => [
      await schemasOf(there),
      await there.query('SELECT id FROM tenancy.tenants ORDER BY id'),
      [...target.app.get(Pictures).kept.keys()],
    ];
    const before = await state();
    await expect(work()).rejects.toMatchObject(error);
    expect(await state()).toEqual(before);
  }

  it('is taken along by an export, and put back by an import', async () => {
    const items = { pictures: { items: 3, bytes: 3 + LARGE.length } };
    const steps: number[][] = [];
    const onProgress = (...step: number[]) => steps.push(step);
    const report = await source.app
      .get(TenantExport)
      .export('acme', new PassThrough().resume(), { onProgress });
    expect(report).toMatchObject({ rows: 1, items });
    for (const bytes of [file, await exported('acme', { key: KEY })]) {
      const made = await imported(bytes, { key: bytes === file ? undefined : KEY, onProgress });
      expect(made).toMatchObject({ rows: 1, items, verification: 'fingerprint' });
      expect(picturesOf(made.tenant)).toEqual(picturesOf(acme, source));
    }
    expect(steps).toEqual(
      Array<number[][]>(3)
        .fill([
          [1, 2],
          [2, 2],
        ])
        .flat(),
    );
  });

  it('is no part of an export where no module keeps anything, which older versions go on reading', async () => {
    const plain = await exported('acme', { without: ['pictures'] });
    expect([firstLine(plain), firstLine(file)]).toEqual([
      'nestjs-tenancy export 1\n',
      'nestjs-tenancy export 2\n',
    ]);
    const made = await imported(plain);
    expect([made.items, picturesOf(made.tenant)]).toEqual([{}, {}]);
    const again = await exported(made.tenant.slug, {}, bare);
    expect(firstLine(again)).toBe('nestjs-tenancy export 1\n');
  });

  it('is never dropped in silence: an application that does not keep it refuses, unless it is to be left out', async () => {
    await expectNothingLeft(() => imported(file, {}, bare), {
      code: 'EXPORT_FILE_INVALID',
      message: expect.stringMatching(/"pictures".*--without pictures/),
    });
    for (const app of [bare, target]) {
      const { tenant, items, rows } = await imported(file, { without: ['pictures'] }, app);
      expect([items, rows, picturesOf(tenant)]).toEqual([{}, 1, {}]);
    }
    await expectNothingLeft(() => imported(file, { without: ['pictuers'] }), {
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining("without: there is nothing called 'pictuers', only pictures"),
    });
    await expect(exported('acme', { without: ['files'] })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('is read to its end also when the module is content with less', async () => {
    target.app.get(Pictures).take = async (pictures, { about, body }) => {
      for await (const piece of body) {
        pictures.set(String(about), piece);
        break;
      }
      return about !== 'none';
    };
    const { tenant, items } = await imported(file);
    expect(items.pictures.items).toBe(3);
    expect(Object.keys(picturesOf(tenant))).toEqual(['small']);
  });

  it('leaves nothing when the module fails, or when the file was cut off or changed, wherever that was', async () => {
    target.app.get(Pictures).take = (pictures, { about }) => {
      if (about === 'none') return Promise.reject(new Error('no room'));
      pictures.set(String(about), Buffer.from('x'));
      return Promise.resolve(true);
    };
    await expectNothingLeft(() => imported(file), {
      code: 'PROVISIONING_FAILED',
      message: expect.stringContaining('no room'),
    });
    target.app.get(Pictures).take = new Pictures().take;

    const plain = gunzipSync(file);
    const random = seededRandom(20_261_130);
    const from = plain.indexOf(Buffer.from('{"name":"pictures"}'));
    const places = Array.from({ length: 8 }, () => from + Math.floor(random() * (plain.length - from)));
    for (const place of [from, plain.length - 1, plain.length - 37, ...places]) {
      await expectNothingLeft(() => imported(gzipSync(plain.subarray(0, place))), {
        code: 'EXPORT_FILE_INVALID',
      });
      const changed = Buffer.from(plain);
      changed[place] ^= 1;
      await expectNothingLeft(() => imported(gzipSync(changed)), { code: 'EXPORT_FILE_INVALID' });
    }
    const controller = new AbortController();
    target.app.get(Pictures).take = () => {
      controller.abort();
      return Promise.resolve(true);
    };
    await expectNothingLeft(() => imported(file, { signal: controller.signal }), {
      message: expect.stringMatching(/abort/i),
    });
  });

  it('is refused when a forger has sealed what does not fit together', async () => {
    const forgeries: [what: string, (sections: Section[]) => Section[], message: RegExp][] = [
      [
        'another number',
        (all) => all.map((one) => (one.type === 'Q' ? json('Q', { items: 3 }) : one)),
        /as many/,
      ],
      ['no end', (all) => all.filter(({ type }) => type !== 'Q'), /as many/],
      [
        'another name',
        (all) => all.map((one) => (one.type === 'P' ? json('P', { name: 'x' }) : one)),
        /order/,
      ],
      ['bytes of nothing', (all) => all.filter(({ type }) => type !== 'I'), /as many/],
      ['no items', (all) => all.filter(({ type }) => !'PIBQ'.includes(type)), /"P" is missing/],
      ['a twin', (all) => withNames(all, ['pictures', 'pictures']), /expected form/],
      ['a path', (all) => withNames(all, ['../x']), /expected form/],
      ['no names', (all) => withNames(all, undefined), /version of its format/],
      [
        'a long head',
        (all) => all.map((one) => (one.type === 'I' ? json('I', 'x'.repeat(70_000)) : one)),
        /damaged/,
      ],
    ];
    for (const [, change, message] of forgeries)
      await expectNothingLeft(() => imported(sealed(change(sectionsOf(file)))), {
        code: 'EXPORT_FILE_INVALID',
        message: expect.stringMatching(message),
      });
  });

  it('fails the export when it cannot be read, or when its reader goes away, and lets go of everything', async () => {
    const pictures = source.app.get(Pictures);
    const before = pictures.ended;
    pictures.beforeItem = (_tenant, name) => {
      if (name === 'large') throw new Error('the disk is away');
    };
    const sink = new PassThrough().resume();
    await expect(source.app.get(TenantExport).export('acme', sink)).rejects.toThrow('the disk is away');
    expect(sink.destroyed).toBe(true);
    delete pictures.beforeItem;
    const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error('the disk is full')) });
    await expect(source.app.get(TenantExport).export('acme', full)).rejects.toThrow('the disk is full');
    const controller = new AbortController();
    pictures.beforeItem = () => controller.abort();
    await expect(exported('acme', { signal: controller.signal })).rejects.toThrow(/abort/i);
    expect(pictures.ended).toBeGreaterThan(before);
  });

  it('keeps no migration waiting while it is read, and does not outlive a purge', async () => {
    const brief = await source.create({ slug: 'brief' });
    const pictures = source.app.get(Pictures);
    pictures.of(brief).set('one', Buffer.from('x'));
    pictures.beforeItem = () =>
      here.query(`SET lock_timeout = '1s'; ALTER TABLE ${brief.schemaName}.note ADD COLUMN place text`);
    await exported('brief');
    pictures.beforeItem = async () => {
      await source.app.get(TenantLifecycle).delete('brief');
      await source.app.get(TenantPurge).purge(brief.id);
    };
    await expect(exported('brief')).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
  });

  it('says at the start what a module lacks', async () => {
    @OnTransfer()
    class Nameless extends Pictures {
      override readonly transferName = 'A picture' as never;
    }
    @OnTransfer()
    class Twin extends Pictures {}
    @OnTransfer()
    class Halved {
      exportItems() {}
    }
    const starting = (...providers: Type[]) => startAppOn(here, {}, { providers });
    const refusals: [Type[], string][] = [
      [[Nameless], "but its transferName is 'A picture'. Give it one of 1 to 63 characters of a-z 0-9 -."],
      [[Pictures, Twin], 'another provider has its transferName "pictures", too'],
      [[Halved], 'Halved has @OnTransfer(), but it has no method importItems'],
    ];
    for (const [providers, message] of refusals)
      await expect(starting(...providers)).rejects.toMatchObject({
        code: 'HOOK_INVALID',
        message: expect.stringContaining(message),
      });
  });
});

function withNames([header, ...rest]: Section[], items: string[] | undefined): Section[] {
  return [json('H', { ...(JSON.parse(header.payload.toString()) as object), items }), ...rest];
}
