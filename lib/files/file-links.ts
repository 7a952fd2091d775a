import { Inject, Injectable } from '@nestjs/common';
import { isInteger } from '../common/options/kinds';
import { show } from '../common/show-value';
import { TenantCarrier } from '../resolution/carried/tenant-carrier';
import type { Tenant } from '../registry/tenant';
import type { FilePlace } from './file-store';
import { type CheckedFilesOptions, FILES_OPTIONS } from './files.options';

/** What a signed token of a file is for. */
const PURPOSE = 'nestjs-tenancy/files';

/** S3 signs for no longer. */
const MAX_EXPIRES_MS = 7 * 86_400_000;

const DEFAULT_EXPIRES_MS = 300_000;

/** How long a signed URL is good. @throws RangeError */
export function checkExpiry(expiresInMs: number = DEFAULT_EXPIRES_MS): number {
  if (isInteger(expiresInMs, 1_000, MAX_EXPIRES_MS)) return expiresInMs;
  throw new RangeError(
    `expiresInMs must be an integer from 1000 to ${MAX_EXPIRES_MS}, not ${show(expiresInMs)}.`,
  );
}

export interface SignedUrlOptions {
  /** How long the URL is good, in milliseconds: an integer from 1,000 to 604,800,000, a week. Default 300,000, five minutes. */
  readonly expiresInMs?: number;
  /** The name under which a browser saves the file. Default: the key's last part. */
  readonly fileName?: string;
  /** Whether a browser may show the file instead of saving it. Default false. */
  readonly inline?: boolean;
}

/** What a signed URL says, and what it is signed with. */
export interface FileLinkQuery {
  readonly key?: unknown;
  readonly name?: unknown;
  readonly inline?: unknown;
  readonly token?: unknown;
}

/** Makes signed URLs, and reads them. */
@Injectable()
export class FileLinks {
  constructor(
    private readonly carrier: TenantCarrier,
    @Inject(FILES_OPTIONS) private readonly options: CheckedFilesOptions,
  ) {}

  /** @throws CarryKeysMissingError without `carryKeys`, unless the store signs by itself */
  async sign(tenant: Tenant, key: string, given: SignedUrlOptions): Promise<string> {
    const { fileName, inline = false } = given;
    const expiresInMs = checkExpiry(given.expiresInMs);
    const { store, publicUrl } = this.options;
    if (store.signedUrl) {
      const place: FilePlace = { owner: tenant.schemaName, key };
      return store.signedUrl(place, { expiresInMs, disposition: dispositionOf(key, fileName, inline) });
    }
    const query = {
      key,
      ...(fileName !== undefined && { name: fileName }),
      ...(inline && { inline: 'true' }),
    };
    const token = this.carrier.sign(tenant, PURPOSE, { payload: payloadOf(query), expiresInMs });
    return `${publicUrl}/tenant-files?${new URLSearchParams({ ...query, token }).toString()}`;
  }

  /**
   * Runs `work` for the tenant that the URL was made for, with what was signed.
   *
   * @throws the errors of `TenantCarrier.runCarried()`
   */
  read<T>(query: FileLinkQuery, work: (key: string, disposition: string) => Promise<T>): Promise<T> {
    const { key, name, inline } = query as Record<string, string | undefined>;
    return this.carrier.runCarried(
      query.token,
      PURPOSE,
      // What was signed is what `sign()` has made: texts.
      () => work(key!, dispositionOf(key!, name, inline === 'true')),
      { payload: payloadOf(query) },
    );
  }
}

function payloadOf({ key, name, inline }: FileLinkQuery): string {
  return JSON.stringify([key, name ?? null, inline ?? null]);
}

/** RFC 6266: what of a name is not plain ASCII stands in the second form. */
function dispositionOf(key: string, fileName = key.slice(key.lastIndexOf('/') + 1), inline: boolean): string {
  const plain = fileName.replaceAll(/[^\w .()+,-]/g, '_');
  const encoded = encodeURIComponent(fileName.replaceAll(/\p{Surrogate}/gu, '\ufffd')).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${inline ? 'inline' : 'attachment'}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
