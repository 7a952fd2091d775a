import type { S3Client } from '@aws-sdk/client-s3';
import { explainAbsent } from '../../common/absent-package';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import type { CheckedS3Options } from './s3.options';

export type S3Package = typeof import('@aws-sdk/client-s3');
type Presigner = typeof import('@aws-sdk/s3-request-presigner');

/** S3 copies a file of 5 GiB in some minutes, and answers at the end. */
const COPY_TIMEOUT_MS = 900_000;

/** @throws PackageMissingError */
export function loadS3(): S3Package {
  try {
    return require('@aws-sdk/client-s3') as S3Package;
  } catch (error) {
    throw explainAbsent(error, '@aws-sdk/client-s3', 'S3FileStore');
  }
}

/** @throws PackageMissingError */
export function loadPresigner(): Presigner {
  try {
    return require('@aws-sdk/s3-request-presigner') as Presigner;
  } catch (error) {
    throw explainAbsent(error, '@aws-sdk/s3-request-presigner', 'signedUrl() of files in S3');
  }
}

interface CallOptions {
  readonly abortSignal: AbortSignal;
}

/** Calls S3 within a time, and says what failures mean. */
export class S3Calls {
  readonly s3 = loadS3();
  readonly client: S3Client;
  readonly bucket: string;
  readonly #timeoutMs: number;

  constructor({ client, bucket, timeoutMs }: CheckedS3Options) {
    this.client = client;
    this.bucket = bucket;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws TenancyUnavailableError for whatever fails */
  async make<Output>(call: (options: CallOptions) => Promise<Output>): Promise<Output> {
    try {
      return await this.#within(this.#timeoutMs, call);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** A copy within S3. `undefined` when there is nothing to be copied. */
  copy<Output>(call: (options: CallOptions) => Promise<Output>): Promise<Output | undefined> {
    return this.find(call, Math.max(COPY_TIMEOUT_MS, this.#timeoutMs));
  }

  /** `undefined` when there is no such object. A bucket that is not there is no reason to say that its objects are not. */
  async find<Output>(
    call: (options: CallOptions) => Promise<Output>,
    timeoutMs = this.#timeoutMs,
  ): Promise<Output | undefined> {
    try {
      return await this.#within(timeoutMs, call);
    } catch (error) {
      // HEAD has no body that would say what is missing.
      if (!isNamed(error, 'NoSuchKey', 'NotFound')) throw unavailable(error);
    }
    await this.make((options) =>
      this.client.send(new this.s3.HeadBucketCommand({ Bucket: this.bucket }), options),
    );
    return undefined;
  }

  async #within<Output>(timeoutMs: number, call: (options: CallOptions) => Promise<Output>): Promise<Output> {
    const controller = new AbortController();
    // A stream that was answered is read for as long as that takes.
    const timer = setTimeout(() => controller.abort(), timeoutMs);
    try {
      return await call({ abortSignal: controller.signal });
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      throw new Error(`S3 has not answered within ${timeoutMs} ms.`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

export function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return names.includes(String((error as { name?: unknown } | undefined)?.name));
}

function unavailable(error: unknown): TenancyUnavailableError {
  return new TenancyUnavailableError('The file store', { cause: error });
}
