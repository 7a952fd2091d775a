import { createHash, randomUUID } from 'node:crypto';
import type { CompletedPart } from '@aws-sdk/client-s3';
import type { S3Calls } from './s3-calls';

/** S3 takes parts of 5 MiB and more, and 10,000 of them: far more than a file may have. Two are in memory at once. */
export const PART_BYTES = 8 * 1024 * 1024;

/** What a killed process has left is removed after a day: no upload takes as long. */
const STALE_UPLOAD_MS = 86_400_000;

/** The bytes of a file in parts, with what is known of them when the last one has come. */
export class HashedParts {
  readonly #hash = createHash('sha256');
  readonly #parts: AsyncGenerator<Buffer>;
  size = 0;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#parts = this.#cut(body);
  }

  /** `undefined` after the last one. A file without bytes has one part without bytes. */
  async next(): Promise<Buffer | undefined> {
    const result = await this.#parts.next();
    return result.done ? undefined : result.value;
  }

  sha256(): string {
    return this.#hash.digest('hex');
  }

  /** Stops reading. */
  async close(): Promise<void> {
    await this.#parts.return(undefined);
  }

  async *#cut(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    let waiting: Uint8Array[] = [];
    let length = 0;
    for await (const bytes of body) {
      this.#hash.update(bytes);
      this.size += bytes.length;
      // The caller may use its buffer again.
      waiting.push(Buffer.from(bytes));
      length += bytes.length;
      if (length < PART_BYTES) continue;
      const all = Buffer.concat(waiting);
      let at = 0;
      for (; all.length - at >= PART_BYTES; at += PART_BYTES) yield all.subarray(at, at + PART_BYTES);
      waiting = [all.subarray(at)];
      length = all.length - at;
    }
    if (length > 0 || this.size === 0) yield Buffer.concat(waiting);
  }
}

/** Sends files in parts to where they wait until they are complete. */
export class S3Uploads {
  #isSwept = false;

  constructor(
    private readonly calls: S3Calls,
    private readonly prefix: string,
  ) {}

  /** Sends all parts. What `finish` gives, with the object that they make, which is gone afterwards. Rejected, it leaves nothing. */
  async send<T>(
    parts: AsyncIterable<Buffer>,
    beforeComplete: () => Promise<void>,
    finish: (object: string) => Promise<T>,
  ): Promise<T> {
    await this.#sweep();
    const { calls } = this;
    const { client, s3 } = calls;
    const at = { Bucket: calls.bucket, Key: `${this.prefix}${randomUUID()}` };
    const { UploadId } = await calls.make((options) =>
      client.send(new s3.CreateMultipartUploadCommand(at), options),
    );
    try {
      const done: CompletedPart[] = [];
      for await (const part of parts) {
        const PartNumber = done.length + 1;
        const sent = await calls.make((options) =>
          client.send(new s3.UploadPartCommand({ ...at, UploadId, PartNumber, Body: part }), options),
        );
        done.push({ PartNumber, ETag: sent.ETag, ...checksumsOf(sent) });
      }
      await beforeComplete();
      await calls.make((options) =>
        client.send(
          new s3.CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: done } }),
          options,
        ),
      );
    } catch (error) {
      await this.#tryTo((options) =>
        client.send(new s3.AbortMultipartUploadCommand({ ...at, UploadId }), options),
      );
      throw error;
    }
    try {
      return await finish(at.Key);
    } finally {
      await this.#tryTo((options) => client.send(new s3.DeleteObjectCommand(at), options));
    }
  }

  /** Removes what killed processes have left. Once a process, and not at all while S3 is away. */
  async #sweep(): Promise<void> {
    if (this.#isSwept) return;
    this.#isSwept = true;
    const { bucket: Bucket, client, s3 } = this.calls;
    // By the clock of S3, as far as its answers have told the client: an instance's own may be ahead.
    const now = () => Date.now() + client.config.systemClockOffset;
    const isOld = (date: Date | undefined) => date !== undefined && now() - +date > STALE_UPLOAD_MS;
    const Prefix = this.prefix;
    await this.#tryTo(async (options) => {
      const open = await client.send(new s3.ListMultipartUploadsCommand({ Bucket, Prefix }), options);
      for (const { Key, UploadId, Initiated } of open.Uploads ?? [])
        if (isOld(Initiated))
          await client.send(new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options);
    });
    await this.#tryTo(async (options) => {
      const complete = await client.send(new s3.ListObjectsV2Command({ Bucket, Prefix }), options);
      for (const { Key, LastModified } of complete.Contents ?? [])
        if (isOld(LastModified)) await client.send(new s3.DeleteObjectCommand({ Bucket, Key }), options);
    });
  }

  /** What fails here is tried again by the next process, or by the bucket's own rules. */
  async #tryTo(work: Parameters<S3Calls['make']>[0]): Promise<void> {
    await this.calls.make(work).catch(() => undefined);
  }
}

/** S3 asks for them again. */
function checksumsOf(sent: object): Partial<CompletedPart> {
  return Object.fromEntries(Object.entries(sent).filter(([name]) => name.startsWith('Checksum')));
}
