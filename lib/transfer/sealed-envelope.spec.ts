import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { openEnvelope, SealedEnvelope } from './sealed-envelope';

const KEY = 'a key that seals exports, of 32 characters or more';

/** Three pieces: two that are full, and the last one. */
const PLAIN = Buffer.from(Array.from({ length: 140_000 }, (_, i) => (i * 31 + (i >> 8)) % 251));
const START = 'nestjs-tenancy sealed export 1\n'.length + 16;
const PIECE = 4 + 64 * 1024 + 32;

async function sealed(): Promise<{ head: Buffer; pieces: [Buffer, Buffer, Buffer] }> {
  const bytes = await buffer(Readable.from([PLAIN], { objectMode: false }).pipe(new SealedEnvelope(KEY)));
  const at = (number: number) => START + number * PIECE;
  const piece = (number: number) => bytes.subarray(at(number), at(number + 1));
  return { head: bytes.subarray(0, START), pieces: [piece(0), piece(1), bytes.subarray(at(2))] };
}

/** What came out, and what it ended with. */
async function open(bytes: Buffer): Promise<{ opened: Buffer; error?: unknown }> {
  const out: Buffer[] = [];
  try {
    for await (const piece of openEnvelope(
      Readable.from([bytes], { objectMode: false }),
      KEY,
      () => undefined,
    ))
      out.push(piece);
  } catch (error) {
    return { opened: Buffer.concat(out), error };
  }
  return { opened: Buffer.concat(out) };
}

describe('an envelope', () => {
  it('gives what was put into it, however it is cut', async () => {
    const { head, pieces } = await sealed();
    const { opened, error } = await open(Buffer.concat([head, ...pieces]));
    expect({ isSame: opened.equals(PLAIN), error }).toEqual({ isSame: true, error: undefined });
    for (const size of [0, 64 * 1024, 128 * 1024]) {
      const bytes = await buffer(
        Readable.from([PLAIN.subarray(0, size)], { objectMode: false }).pipe(new SealedEnvelope(KEY)),
      );
      expect((await open(bytes)).opened).toHaveLength(size);
    }
  });

  it('gives no byte of a piece that was changed', async () => {
    const { head, pieces } = await sealed();
    for (const place of [0, 5, 1000, PIECE - 1]) {
      const changed = Buffer.from(pieces[1]);
      changed[place] ^= 1;
      const { opened, error } = await open(Buffer.concat([head, pieces[0], changed, pieces[2]]));
      expect(opened.equals(PLAIN.subarray(0, 64 * 1024))).toBe(true);
      expect(error).toMatchObject({ code: 'EXPORT_FILE_INVALID' });
    }
  });

  it('takes no piece that was moved, repeated, left out, or is of another file of the same key', async () => {
    const [{ head, pieces }, other] = [await sealed(), await sealed()];
    const [one, two, three] = pieces;
    for (const wrong of [
      [two, one, three],
      [one, one, three],
      [one, three],
      [other.pieces[0], two, three],
    ]) {
      const { error } = await open(Buffer.concat([head, ...wrong]));
      expect(error).toMatchObject({ message: expect.stringContaining('changed after it was made') });
    }
    for (const [cut, message] of [
      [[one, two], 'cut off'],
      [[one, two, three.subarray(0, -1)], 'cut off'],
      [[one, two, three, Buffer.from('x')], 'bytes follow its end'],
    ] as const) {
      const { error } = await open(Buffer.concat([head, ...cut]));
      expect(error).toMatchObject({ message: expect.stringContaining(message) });
    }
  });
});
