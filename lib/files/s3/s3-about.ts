import { checkFileAbout } from '../file-checks';
import type { FileAbout, FileInfo } from '../file-store';
import { FileDamagedError } from '../files.errors';

/** No name of the application's metadata is the same. */
const SHA256 = 'tenancy-sha256';

/** What is sent with an object. Headers hold ASCII, so texts are encoded. */
export function toHeaders({ contentType, metadata }: FileAbout, sha256: string) {
  const encoded = Object.entries(metadata).map(([name, text]) => [name, encodeURIComponent(text)]);
  return {
    ContentType: contentType,
    Metadata: { ...(Object.fromEntries(encoded) as Record<string, string>), [SHA256]: sha256 },
  };
}

/** What S3 says of an object. */
interface Described {
  readonly ContentType?: string;
  readonly Metadata?: Readonly<Record<string, string>>;
  readonly LastModified?: Date;
}

/** @throws FileDamagedError for what the store has not put there */
export function toInfo(key: string, size: number, object: string, described: Described): FileInfo {
  const { ContentType: contentType, Metadata: given = {}, LastModified: modifiedAt } = described;
  const { [SHA256]: sha256, ...encoded } = given;
  try {
    const about = { contentType: contentType!, metadata: decoded(encoded) };
    checkFileAbout(about);
    if (modifiedAt && /^[0-9a-f]{64}$/.test(sha256)) return { key, size, ...about, sha256, modifiedAt };
  } catch {
    // It is told of below.
  }
  throw new FileDamagedError(object, 'was not written by the store');
}

function decoded(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, decodeURIComponent(text)]));
}
