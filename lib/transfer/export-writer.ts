import { FRAME_HEAD_BYTES, type FrameType, MAGIC, RunningSeal } from './export-format';

/** Makes the bytes of an export, piece by piece. */
export class ExportWriter {
  readonly #seal = new RunningSeal();

  begin(): Buffer {
    this.#seal.add(MAGIC);
    return MAGIC;
  }

  json(type: FrameType, value: unknown): Buffer {
    return this.frame(type, Buffer.from(JSON.stringify(value)));
  }

  frame(type: FrameType, payload: Buffer): Buffer {
    const bytes = toFrame(type, payload);
    this.#seal.add(bytes);
    return bytes;
  }

  /** Rows as frames; at last what `pieces` gives at last. */
  async *pieces<Result>(pieces: AsyncGenerator<Buffer, Result>): AsyncGenerator<Buffer, Result> {
    try {
      for (;;) {
        const next = await pieces.next();
        if (next.done) return next.value;
        yield this.frame('R', next.value);
      }
    } finally {
      // Whoever stops reading here stops there, too.
      await pieces.return(undefined as Result);
    }
  }

  seal(): Buffer {
    return toFrame('S', this.#seal.now());
  }
}

export function toFrame(type: FrameType, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  frame.write(type, 0, 'latin1');
  frame.writeUInt32BE(payload.length, 1);
  payload.copy(frame, FRAME_HEAD_BYTES);
  return frame;
}
