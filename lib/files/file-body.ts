import { Readable } from 'node:stream';
import { FileBodyReadError, FileTooLargeError } from './files.errors';

/** The bytes of a file: all at once, or as they come, such as a request. */
export type FileBody = string | Uint8Array | AsyncIterable<Uint8Array | string>;

/** The bytes, up to `maxBytes`. @throws FileTooLargeError @throws FileBodyReadError */
export async function* bounded(
  body: FileBody,
  maxBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  // It would end at once, and an empty file would be kept.
  if (body instanceof Readable && body.readableEnded) throw new FileBodyReadError();
  let size = 0;
  const whole = typeof body === 'string' || ArrayBuffer.isView(body) ? [body] : body;
  for await (const piece of whole) {
    signal?.throwIfAborted();
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    size += bytes.length;
    if (size > maxBytes) throw new FileTooLargeError(maxBytes);
    yield bytes;
  }
  signal?.throwIfAborted();
}
