import { timingSafeEqual } from 'node:crypto';
import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ByteReader } from './byte-reader';
import { checkHeader } from './check-header';
import {
  type ExportHeader,
  FRAME_HEAD_BYTES,
  type FrameType,
  MAGIC,
  MAX_PAYLOAD_BYTES,
  RunningSeal,
} from './export-format';
import { type ImportLimits, parseWithin, toLimits } from './import-limits';
import { openEnvelope } from './sealed-envelope';
import { ExportFileError } from './transfer.errors';

/** What the reader is told beside the bytes. */
interface ReaderOptions {
  readonly key?: string;
  readonly limits?: ImportLimits;
  readonly signal?: AbortSignal;
}

/** Reads an export from its beginning to its end, once, and believes nothing that it has not checked. */
export class ExportReader {
  readonly #seal = new RunningSeal();
  readonly #bytes: ByteReader;
  readonly #unzipped: Readable;
  readonly #key: string | undefined;
  readonly #limits: Required<ImportLimits>;
  /** Its pieces are sealed, so that the key has vouched for all that is read. */
  #isEnvelope = false;
  #size = 0;

  /** @throws RangeError for a limit that is none */
  constructor(
    private readonly source: Readable,
    { key, limits, signal }: ReaderOptions = {},
  ) {
    this.#key = key;
    this.#limits = toLimits(limits);
    const opened = openEnvelope(source as AsyncIterable<Buffer>, key, (isEnvelope) => {
      this.#isEnvelope = isEnvelope;
    });
    // An error of one is an error of all: the last one tells it to whoever reads.
    this.#unzipped = pipeline(Readable.from(opened, { objectMode: false }), createGunzip(), () => undefined);
    if (signal) addAbortSignal(signal, this.#unzipped);
    this.#bytes = new ByteReader(this.#chunks());
  }

  /** Whose seal is right: it is looked at before anything is parsed. @throws ExportFileError */
  async header(): Promise<ExportHeader> {
    const magic = await this.#bytes.take(MAGIC.length);
    if (!magic.equals(MAGIC))
      throw new ExportFileError('it is no export of this package, or one of a newer version.');
    this.#seal.add(magic);
    const payload = await this.#expect('H');
    await this.#checkSeal();
    const header = checkHeader(this.#json(payload));
    if (header.seal === (this.#innerKey === undefined ? 'sha256' : 'hmac-sha256')) return header;
    throw new ExportFileError('it is damaged: it is sealed in another way than it says.');
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
    if (!(await this.#bytes.isAtEnd())) throw new ExportFileError('it goes on behind its end.');
  }

  /** Nobody reads on. */
  close(): void {
    this.#unzipped.destroy();
    this.source.destroy();
  }

  /** What is in an envelope has no key of its own. Files from before there were envelopes have. */
  get #innerKey(): string | undefined {
    return this.#isEnvelope ? undefined : this.#key;
  }

  async #checkSeal(): Promise<void> {
    const { type, payload } = await this.#frame({ isSeal: true });
    const isRight = (key: string | undefined) => {
      const wanted = this.#seal.now(key);
      return type === 'S' && payload.length === wanted.length && timingSafeEqual(payload, wanted);
    };
    if (isRight(this.#innerKey)) return;
    if (this.#innerKey === undefined)
      throw new ExportFileError(
        'it was changed since it was made, or it is sealed with a key: its seal does not fit.',
      );
    throw new ExportFileError(
      isRight(undefined)
        ? 'a key is given, and it is not sealed with any: anybody may have made it.'
        : 'it was changed since it was made, or sealed with another key.',
    );
  }

  async #expect(wanted: FrameType): Promise<Buffer> {
    const { type, payload } = await this.#frame();
    if (type !== wanted) throw new ExportFileError(`it is damaged: a part "${wanted}" is missing.`);
    return payload;
  }

  async #frame({ isSeal = false } = {}): Promise<{ type: FrameType; payload: Buffer }> {
    const head = await this.#bytes.take(FRAME_HEAD_BYTES);
    const type = head.toString('latin1', 0, 1) as FrameType;
    const length = head.readUInt32BE(1);
    this.#requireShort(type, length);
    const payload = await this.#bytes.take(length);
    if (!isSeal) {
      this.#seal.add(head);
      this.#seal.add(payload);
    }
    return { type, payload };
  }

  #json(payload: Buffer): unknown {
    return parseWithin(payload, this.#limits.maxHeaderValues);
  }

  #requireShort(type: FrameType, length: number): void {
    const { maxHeaderBytes } = this.#limits;
    if (type === 'H') {
      if (length <= maxHeaderBytes) return;
      throw new ExportFileError(`its header has more than ${maxHeaderBytes} bytes (limits.maxHeaderBytes).`);
    }
    if (!Object.hasOwn(MAX_PAYLOAD_BYTES, type) || length > MAX_PAYLOAD_BYTES[type])
      throw new ExportFileError('it is damaged.');
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    const { maxBytes } = this.#limits;
    try {
      for await (const chunk of this.#unzipped as AsyncIterable<Buffer>) {
        this.#size += chunk.length;
        if (this.#size > maxBytes)
          throw new ExportFileError(
            `it has more than ${maxBytes} bytes when it is unzipped (limits.maxBytes).`,
          );
        yield chunk;
      }
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
