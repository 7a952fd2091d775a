import { timingSafeEqual } from 'node:crypto';
import { addAbortSignal, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { checkHeader } from './check-header';
import {
  type ExportHeader,
  FRAME_HEAD_BYTES,
  type FrameType,
  MAGIC,
  MAX_PAYLOAD_BYTES,
  RunningSeal,
} from './export-format';
import { ExportFileError } from './transfer.errors';

/** Reads an export from its beginning to its end, once, and believes nothing that it has not checked. */
export class ExportReader {
  readonly #seal: RunningSeal;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #streams: readonly Readable[];
  #rest: Buffer = Buffer.alloc(0);

  constructor(
    source: Readable,
    private readonly key: string | undefined,
    signal?: AbortSignal,
  ) {
    this.#seal = new RunningSeal(key);
    const unzipped = source.pipe(createGunzip());
    this.#streams = [source, unzipped];
    source.on('error', (error) => unzipped.destroy(error));
    if (signal) addAbortSignal(signal, unzipped);
    this.#chunks = (unzipped as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** Whose seal is right. @throws ExportFileError */
  async header(): Promise<ExportHeader> {
    const magic = await this.#take(MAGIC.length);
    if (!magic.equals(MAGIC))
      throw new ExportFileError('it is no export of this package, or one of a newer version.');
    this.#seal.add(magic);
    const header = checkHeader(this.#json(await this.#expect('H')));
    this.#checkKind(header.seal);
    await this.#checkSeal();
    return header;
  }

  /** The rows of a table, in pieces as they came; the function that comes at last checks how many there were. */
  async *rows(name: string): AsyncGenerator<Buffer, number> {
    const table = this.#json(await this.#expect('T')) as { name?: unknown } | null;
    if (table?.name !== name)
      throw new ExportFileError(`its tables come in another order than it says ("${name}").`);
    for (;;) {
      const { type, payload } = await this.#frame();
      if (type === 'E') return countOf(this.#json(payload));
      if (type !== 'R') throw new ExportFileError(`the table "${name}" has no end.`);
      yield payload;
    }
  }

  /** To be called before anything is committed. @throws ExportFileError when it was cut off, changed or added to */
  async end(): Promise<void> {
    await this.#expect('Z');
    await this.#checkSeal();
    if (this.#rest.length > 0 || !(await this.#next()).done)
      throw new ExportFileError('it goes on behind its end.');
  }

  /** Nobody reads on. */
  close(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  #checkKind(seal: ExportHeader['seal']): void {
    if (seal === 'hmac-sha256' && this.key === undefined) {
      throw new ExportFileError('it is sealed with a key. Give that key.');
    }
    if (seal === 'sha256' && this.key !== undefined) {
      throw new ExportFileError('a key is given, and it is not sealed with any: anybody may have made it.');
    }
  }

  async #checkSeal(): Promise<void> {
    const wanted = this.#seal.now();
    const { type, payload } = await this.#frame({ isSeal: true });
    if (type === 'S' && payload.length === wanted.length && timingSafeEqual(payload, wanted)) return;
    throw new ExportFileError(
      this.key === undefined
        ? 'it was changed since it was made: its seal does not fit.'
        : 'it was changed since it was made, or sealed with another key.',
    );
  }

  async #expect(wanted: FrameType): Promise<Buffer> {
    const { type, payload } = await this.#frame();
    if (type !== wanted) throw new ExportFileError(`it is damaged: a part "${wanted}" is missing.`);
    return payload;
  }

  async #frame({ isSeal = false } = {}): Promise<{ type: FrameType; payload: Buffer }> {
    const head = await this.#take(FRAME_HEAD_BYTES);
    const type = head.toString('latin1', 0, 1) as FrameType;
    const length = head.readUInt32BE(1);
    const longest = Object.hasOwn(MAX_PAYLOAD_BYTES, type) ? MAX_PAYLOAD_BYTES[type] : -1;
    if (length > longest) throw new ExportFileError('it is damaged.');
    const payload = await this.#take(length);
    if (!isSeal) {
      this.#seal.add(head);
      this.#seal.add(payload);
    }
    return { type, payload };
  }

  #json(payload: Buffer): unknown {
    try {
      return JSON.parse(payload.toString('utf8'));
    } catch (error) {
      throw new ExportFileError('it is damaged.', { cause: error });
    }
  }

  async #take(length: number): Promise<Buffer> {
    const pieces = [this.#rest];
    let size = this.#rest.length;
    while (size < length) {
      const { done, value } = await this.#next();
      if (done) throw new ExportFileError('it was cut off.');
      pieces.push(value);
      size += value.length;
    }
    const all = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    this.#rest = all.subarray(length);
    return all.subarray(0, length);
  }

  async #next(): Promise<IteratorResult<Buffer, unknown>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'Z_BUF_ERROR') throw new ExportFileError('it was cut off.', { cause: error });
      if (String(code).startsWith('Z_'))
        throw new ExportFileError('it is no gzip file, or a damaged one.', { cause: error });
      throw error;
    }
  }
}

function countOf(value: unknown): number {
  const rows = (value as { rows?: unknown } | null)?.rows;
  if (typeof rows !== 'number') throw new ExportFileError('it is damaged.');
  return rows;
}
