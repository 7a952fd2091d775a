/**
 * How a key lies on a disk: in names of small ASCII letters, so that no file system takes two keys for one. `/` is a
 * character like others, so `a` and `a/b` are two files. A name holds 80 bytes of the key, which are 240 characters at most
 * of the 255 that file systems take; a longer key goes on in a directory named after its first 80 bytes.
 */
const BYTES_IN_A_NAME = 80;

const PLAIN = /^[a-z0-9._-]$/;

/** Where a key's file is, below the directory of its tenant. */
export function pathOfKey(key: string): { readonly directories: string[]; readonly name: string } {
  const bytes = Buffer.from(key);
  const directories: string[] = [];
  let at = 0;
  for (; bytes.length - at > BYTES_IN_A_NAME; at += BYTES_IN_A_NAME)
    directories.push(`d-${encode(bytes.subarray(at, at + BYTES_IN_A_NAME))}`);
  return { directories, name: `f-${encode(bytes.subarray(at))}` };
}

/** The name of a tenant's directory. A schema's name has at most 63 bytes. */
export function directoryOfOwner(owner: string): string {
  return `t-${encode(Buffer.from(owner))}`;
}

interface NameOnDisk {
  readonly kind: 'file' | 'directory';
  readonly bytes: Buffer;
}

/** What a name stands for; `undefined` for one that the store has not given. */
export function readName(name: string): NameOnDisk | undefined {
  const [, kind, encoded] = /^([fd])-(.+)$/.exec(name) ?? [];
  if (encoded === undefined || !/^(?:[a-z0-9._-]|%[0-9a-f]{2})+$/.test(encoded)) return undefined;
  const bytes = Buffer.from(
    encoded.replaceAll(/%(..)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))),
    'latin1',
  );
  const isOurs = encode(bytes) === encoded && (kind === 'f' || bytes.length === BYTES_IN_A_NAME);
  return isOurs ? { kind: kind === 'f' ? 'file' : 'directory', bytes } : undefined;
}

function encode(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += PLAIN.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}
