import { timingSafeEqual } from 'node:crypto';
import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ByteReader } from './byte-reader';
import { checkHeader } from './check-header';
import {
  type ExportHeader,
  SECTION_HEAD_BYTES,
  type SectionType,
  MAGIC,
  MAGIC_WITH_ITEMS,
  MAX_PAYLOAD_BYTES,
  RunningSeal,
} from './export-format';
import { type ImportLimits, parseWithin, toLimits } from './import-limits';
import { openEnvelope } from './sealed-envelope';
import type { ImportedItem, ItemCount } from './transfer-hooks';
import { ExportFileError } from './transfer.errors';

/** Options beside the stream. */
interface ReaderOptions {
  readonly key?: string;
  readonly limits?: ImportLimits;
  readonly signal?: AbortSignal;
}

interface Section {
  readonly type: SectionType;
  readonly payload: Buffer;
}

/** Reads an export once from its beginning to its end, and uses nothing that it has not checked. */
export class ExportReader {
  readonly #seal = new RunningSeal();
  readonly #bytes: ByteReader;
  readonly #unzipped: Readable;
  readonly #key: string | undefined;
  readonly #limits: Required<ImportLimits>;
  /** Whether the export is an envelope, whose pieces were all verified with the key before they are read here. */
  #isEnvelope = false;
  #size = 0;

  /** @throws RangeError when a limit is not a whole number above 0 */
  constructor(
    private readonly source: Readable,
    { key, limits, signal }: ReaderOptions = {},
  ) {
    this.#key = key;
    this.#limits = toLimits(limits);
    const opened = openEnvelope(source as AsyncIterable<Buffer>, key, (isEnvelope) => {
      this.#isEnvelope = isEnvelope;
    });
    // An error in one of these streams is passed on to the last one, whose reader gets it.
    this.#unzipped = pipeline(Readable.from(opened, { objectMode: false }), createGunzip(), () => undefined);
    if (signal) addAbortSignal(signal, this.#unzipped);
    this.#bytes = new ByteReader(this.#chunks());
  }

  /**
   * The header. Its seal is checked before anything is parsed. @throws ExportFileError when the file cannot be read or
   * trusted
   */
  async header(): Promise<ExportHeader> {
    const magic = await this.#bytes.take(MAGIC.length);
    const hasItems = magic.equals(MAGIC_WITH_ITEMS);
    if (!hasItems && !magic.equals(MAGIC))
      throw new ExportFileError('it is not an export of this package, or one of a newer version.');
    this.#seal.add(magic);
    const payload = await this.#expect('H');
    await this.#checkSeal();
    const header = checkHeader(this.#json(payload));
    if (hasItems !== (header.items !== undefined))
      throw new ExportFileError('it is damaged: its header does not fit the version of its format.');
    if (header.seal === (this.#innerKey === undefined ? 'sha256' : 'hmac-sha256')) return header;
    throw new ExportFileError('it is damaged: its header names another kind of seal than it has.');
  }

  /** The rows of a table, in the pieces in which they were written, and at the end their number. */
  async *rows(name: string): AsyncGenerator<Buffer, number> {
    const table = this.#json(await this.#expect('T')) as { name?: unknown } | null;
    if (table?.name !== name)
      throw new ExportFileError(`its tables are in another order than in its header, at "${name}".`);
    for (;;) {
      const { type, payload } = await this.#section();
      if (type === 'E') return countOf(this.#json(payload));
      if (type !== 'R')
        throw new ExportFileError(`it is damaged: the end of the table "${name}" is missing.`);
      yield payload;
    }
  }

  /** The items of a module, and at the end their number. What is not read of an item is passed over. */
  async *items(name: string): AsyncGenerator<ImportedItem, ItemCount> {
    const module = this.#json(await this.#expect('P')) as { name?: unknown } | null;
    if (module?.name !== name)
      throw new ExportFileError(`its items are in another order than in its header, at "${name}".`);
    let [items, bytes] = [0, 0];
    let section = await this.#section();
    while (section.type === 'I') {
      const { about } = (this.#json(section.payload) ?? {}) as { about?: unknown };
      let next: Section | undefined;
      const rest = async (): Promise<Buffer | undefined> => {
        if (next) return undefined;
        const found = await this.#section();
        if (found.type !== 'B') next = found;
        else bytes += found.payload.length;
        return next ? undefined : found.payload;
      };
      yield { about, body: piecesOf(rest) };
      while (!next) await rest();
      items += 1;
      section = next;
    }
    const counted = (section.type === 'Q' ? this.#json(section.payload) : null) as ItemCount | null;
    if (counted?.items !== items || counted.bytes !== bytes)
      throw new ExportFileError(`it is damaged: there are not as many items of "${name}" as it says.`);
    return { items, bytes };
  }

  /**
   * Call it before the transaction is committed. @throws ExportFileError when the file was cut off or changed, or
   * something was added
   */
  async end(): Promise<void> {
    await this.#expect('Z');
    await this.#checkSeal();
    if (!(await this.#bytes.isAtEnd())) throw new ExportFileError('it is damaged: bytes follow its end.');
  }

  /** Stops reading. */
  close(): void {
    this.#unzipped.destroy();
    this.source.destroy();
  }

  /** Inside an envelope, seals have no key. In files from before envelopes they have one. */
  get #innerKey(): string | undefined {
    return this.#isEnvelope ? undefined : this.#key;
  }

  async #checkSeal(): Promise<void> {
    const { type, payload } = await this.#section({ isSeal: true });
    const isRight = (key: string | undefined) => {
      const wanted = this.#seal.now(key);
      return type === 'S' && payload.length === wanted.length && timingSafeEqual(payload, wanted);
    };
    if (isRight(this.#innerKey)) return;
    if (this.#innerKey === undefined)
      throw new ExportFileError(
        'it was changed after it was made, or it is sealed with a key: its seal does not match. If it has a key, give it.',
      );
    throw new ExportFileError(
      isRight(undefined)
        ? 'a key was given, but it is not sealed with a key, so anyone may have made it.'
        : 'it was changed after it was made, or it is sealed with another key.',
    );
  }

  async #expect(wanted: SectionType): Promise<Buffer> {
    const { type, payload } = await this.#section();
    if (type !== wanted) throw new ExportFileError(`it is damaged: its section "${wanted}" is missing.`);
    return payload;
  }

  async #section({ isSeal = false } = {}): Promise<Section> {
    const head = await this.#bytes.take(SECTION_HEAD_BYTES);
    const type = head.toString('latin1', 0, 1) as SectionType;
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

  #requireShort(type: SectionType, length: number): void {
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
        throw new ExportFileError('it is not a gzip file, or it is damaged.', { cause: error });
      throw error;
    }
  }
}

async function* piecesOf(rest: () => Promise<Buffer | undefined>): AsyncGenerator<Buffer> {
  for (let piece = await rest(); piece; piece = await rest()) yield piece;
}

function countOf(value: unknown): number {
  const rows = (value as { rows?: unknown } | null)?.rows;
  if (typeof rows !== 'number') throw new ExportFileError('it is damaged.');
  return rows;
}
