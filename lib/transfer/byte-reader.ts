import { ExportFileError } from './transfer.errors';

/** Reads a given number of bytes from a stream, however the stream is cut into chunks. */
export class ByteReader {
  #rest: Buffer = Buffer.alloc(0);

  constructor(private readonly chunks: AsyncIterator<Buffer>) {}

  /** @throws ExportFileError when the stream ends before */
  async take(length: number): Promise<Buffer> {
    const bytes = await this.upTo(length);
    if (bytes.length < length) throw new ExportFileError('it was cut off.');
    return bytes;
  }

  /** Returns fewer bytes only at the end of the stream. */
  async upTo(length: number): Promise<Buffer> {
    const pieces = [this.#rest];
    let size = this.#rest.length;
    while (size < length) {
      const next = await this.chunks.next();
      if (next.done) break;
      pieces.push(next.value);
      size += next.value.length;
    }
    const all = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    this.#rest = all.subarray(length);
    return all.subarray(0, length);
  }

  async *rest(): AsyncGenerator<Buffer> {
    yield this.#rest;
    for (let next = await this.chunks.next(); !next.done; next = await this.chunks.next()) yield next.value;
  }

  async isAtEnd(): Promise<boolean> {
    return (await this.upTo(1)).length === 0;
  }
}
