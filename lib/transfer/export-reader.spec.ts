import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { toSection } from './export-writer';
import { MAGIC, RunningSeal } from './export-format';
import { ExportReader } from './export-reader';
import { SealedEnvelope } from './sealed-envelope';

const KEY = 'a key that seals exports, of 32 characters or more';

/** An export of nothing but a header, with a seal that fits. */
function exportWith(json: string | Buffer, key?: string): Buffer {
  const seal = new RunningSeal();
  const start = Buffer.concat([MAGIC, toSection('H', Buffer.from(json))]);
  seal.add(start);
  return gzipSync(Buffer.concat([start, toSection('S', seal.now(key))]));
}

async function inEnvelope(bytes: Buffer, key = KEY): Promise<Buffer> {
  return buffer(Readable.from([bytes], { objectMode: false }).pipe(new SealedEnvelope(key)));
}

const read = (bytes: Buffer, options: ConstructorParameters<typeof ExportReader>[1] = {}) =>
  new ExportReader(Readable.from([bytes], { objectMode: false }), options).header();

const bombs = {
  'of 20 million lists': `[${'[],'.repeat(20_000_000)}[]]`,
  'of 100,000 lists in one another': '['.repeat(100_000) + ']'.repeat(100_000),
};

describe('an export whose header would take all memory', () => {
  let parse: jest.SpyInstance;
  beforeEach(() => {
    parse = jest.spyOn(JSON, 'parse');
  });
  afterEach(() => parse.mockRestore());

  it.each(Object.entries(bombs))('is refused before it is parsed: %s', async (_name, json) => {
    await expect(read(exportWith(json))).rejects.toMatchObject({ code: 'EXPORT_FILE_INVALID' });
    expect(parse).not.toHaveBeenCalled();
  });

  it('is refused for its seal where a key is asked for, not for what is in it', async () => {
    const bytes = exportWith('[]');
    await expect(read(bytes, { key: KEY })).rejects.toThrow('anyone may have made it');
    await expect(read(exportWith('[]', 'another key'), { key: KEY })).rejects.toThrow('another key');
    await expect(read(await inEnvelope(bytes, `${KEY}!`), { key: KEY })).rejects.toThrow('another key');
    expect(parse).not.toHaveBeenCalled();
  });

  it('is refused for the length that it says, before so much is read', async () => {
    const head = Buffer.from([0x48, 0xff, 0xff, 0xff, 0xff]);
    await expect(read(gzipSync(Buffer.concat([MAGIC, head])))).rejects.toThrow('limits.maxHeaderBytes');
    await expect(read(exportWith('{"a":1}'), { limits: { maxHeaderBytes: 6 } })).rejects.toThrow(
      'more than 6',
    );
  });
});
