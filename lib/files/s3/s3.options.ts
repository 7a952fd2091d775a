import type { S3Client } from '@aws-sdk/client-s3';
import { text, waiting, withMethod } from '../../common/options/kinds';
import { type Given, Option } from '../../common/options/option.decorator';

export class CheckedS3Options {
  /** Knows the region, the credentials and the endpoint. It stays yours: you close it. */
  @Option(withMethod<S3Client>('send', 'give new S3Client(…) of @aws-sdk/client-s3'), { required: true })
  readonly client!: S3Client;

  /** The bucket, which must be there. */
  @Option(text('give the name of a bucket', (value) => value !== '' && !/[\s\p{Cc}]/u.test(value)), {
    required: true,
  })
  readonly bucket!: string;

  /** What stands before all keys, such as `files/`. Default `''`. Two applications in one bucket need one each. */
  @Option(
    text('give up to 200 printable characters of ASCII that do not begin with a slash', (value) =>
      /^(?:(?!\/)[\x21-\x7e]{1,200})?$/.test(value),
    ),
  )
  readonly prefix: string = '';

  /**
   * How long the answer to one call may take, the client's own retries included, in milliseconds from 1. Default 60,000. Within
   * it a part of 8 MiB must be sent. A copy within S3 may take 15 minutes.
   */
  @Option(waiting(1))
  readonly timeoutMs: number = 60_000;
}

export type S3FileStoreOptions = Given<CheckedS3Options> & Pick<CheckedS3Options, 'client' | 'bucket'>;
