import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Transform } from 'node:stream';
import { ByteReader } from './byte-reader';
import { ExportFileError } from './transfer.errors';

/** The beginning of every export with a key. */
const ENVELOPE_MAGIC = Buffer.from('nestjs-tenancy sealed export 1\n');

/** Random for each file, so that a piece of one file is not valid in another file with the same key. */
const SALT_BYTES = 16;

/** The highest bit of a piece's head marks the last piece. The other bits are its length. */
const HEAD_BYTES = 4;
const LAST = 0x8000_0000;
const MAX_PIECE_BYTES = 64 * 1024;
const SEAL_BYTES = 32;

/** Splits what is written into pieces, each with a seal, so that a reader can check every piece before using it. */
export class SealedEnvelope extends Transform {
  readonly #seals: PieceSeals;
  #waiting: Buffer[] = [];
  #size = 0;

  constructor(key: string) {
    super();
    const salt = randomBytes(SALT_BYTES);
    this.#seals = new PieceSeals(key, salt);
    this.push(Buffer.concat([ENVELOPE_MAGIC, salt]));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#waiting.push(chunk);
    this.#size += chunk.length;
    if (this.#size > MAX_PIECE_BYTES) this.#pushPieces();
    done();
  }

  override _flush(done: () => void): void {
    this.#pushPiece(Buffer.concat(this.#waiting), LAST);
    done();
  }

  #pushPieces(): void {
    let rest = Buffer.concat(this.#waiting);
    for (; rest.length > MAX_PIECE_BYTES; rest = rest.subarray(MAX_PIECE_BYTES)) {
      this.#pushPiece(rest.subarray(0, MAX_PIECE_BYTES), 0);
    }
    this.#waiting = [rest];
    this.#size = rest.length;
  }

  #pushPiece(piece: Buffer, flag: number): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(flag + piece.length);
    this.push(Buffer.concat([head, piece, this.#seals.next(head, piece)]));
  }
}

/**
 * The contents of the envelope, or the unchanged bytes if there is none. `onKind` is called before the first byte and
 * tells which. From an envelope, no byte is passed on before the key has verified it.
 *
 * @throws ExportFileError for an envelope without its key, or one that was cut off or changed
 */
export async function* openEnvelope(
  source: AsyncIterable<Buffer>,
  key: string | undefined,
  onKind: (isEnvelope: boolean) => void,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source[Symbol.asyncIterator]());
  const magic = await reader.upTo(ENVELOPE_MAGIC.length);
  const isEnvelope = magic.equals(ENVELOPE_MAGIC);
  onKind(isEnvelope);
  if (!isEnvelope) {
    yield magic;
    yield* reader.rest();
    return;
  }
  if (key === undefined) throw new ExportFileError('it is sealed with a key. Give that key.');
  const seals = new PieceSeals(key, await reader.take(SALT_BYTES));
  for (let isLast = false; !isLast;) {
    const head = await reader.take(HEAD_BYTES);
    const bits = head.readUInt32BE();
    isLast = bits >= LAST;
    const length = isLast ? bits - LAST : bits;
    if (length > MAX_PIECE_BYTES) throw new ExportFileError('it is damaged.');
    const piece = await reader.take(length);
    if (!timingSafeEqual(await reader.take(SEAL_BYTES), seals.next(head, piece))) {
      throw new ExportFileError('it was changed after it was made, or it is sealed with another key.');
    }
    yield piece;
  }
  if (!(await reader.isAtEnd())) throw new ExportFileError('it is damaged: bytes follow its end.');
}

/**
 * Each seal covers the file's salt, the piece's number, its head and its bytes, so no piece can be moved, left out or
 * repeated.
 */
class PieceSeals {
  readonly #key: Buffer;
  #number = 0n;

  constructor(key: string, salt: Buffer) {
    this.#key = createHmac('sha256', key).update(ENVELOPE_MAGIC).update(salt).digest();
  }

  next(head: Buffer, piece: Buffer): Buffer {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(this.#number++);
    return createHmac('sha256', this.#key).update(number).update(head).update(piece).digest();
  }
}
