import { flag, integer, text, withMethod } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import type { FileStore } from './file-store';

export const FILES_OPTIONS = Symbol('FILES_OPTIONS');

/** As much as S3 copies at once. */
const MAX_BYTES = 5 * 1024 ** 3;

export class CheckedFilesOptions {
  /** Where the files are kept: `new DirectoryFileStore('/srv/files')`, `new S3FileStore({ … })`, or a `FileStore` of your own. */
  @Option(
    withMethod<FileStore>(
      'removeAll',
      'give new DirectoryFileStore(…), new S3FileStore(…), or a FileStore of your own',
    ),
    { required: true },
  )
  readonly store!: FileStore;

  /** How many bytes a file may have: an integer from 1 to 5,368,709,120, which is 5 GiB. Default 5,368,709,120. */
  @Option(integer(1, MAX_BYTES))
  readonly maxBytes: number = MAX_BYTES;

  /**
   * What stands before `/tenant-files` in signed URLs, such as `https://files.example.com/api`. Default `''`: the URL is a
   * path of the host that the page came from.
   */
  @Option(text('give a URL without a / at its end', (value) => /^https?:\/\/[^?#]*[^/?#]$/.test(value)))
  readonly publicUrl: string = '';
}

export type TenancyFilesOptions = Given<CheckedFilesOptions> & { readonly store: FileStore };

/** Options that are given where the module is imported. */
export class CheckedFilesExtras {
  /** Whether the route `GET /tenant-files` exists, which answers signed URLs. Default true. */
  @Option(flag())
  readonly routes: boolean = true;
}

export type TenancyFilesExtras = Given<CheckedFilesExtras>;
