import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { TenantContext } from '../../lib';
import { DirectoryFileStore, type FileStore } from '../../lib/files';
import { CheckedFilesOptions } from '../../lib/files/files.options';
import type { FileLinks } from '../../lib/files/file-links';
import { TenantFiles } from '../../lib/files/tenant-files';
import type { TenantStore } from '../../lib/registry/store/tenant.store';
import { S3FileStore } from '../../lib/files/s3';
import type { Tenant } from '../../lib/registry/tenant';
import { BUCKET, type S3Server, startS3Server } from '../support/s3-server/s3-server';

const GIGABYTE = 2 ** 30;
const PIECE = Buffer.alloc(65_536, 'x');

/** Of the process, above what it was before. Garbage of V8 and the pieces in flight come to some ten megabytes. */
const MAX_GROWTH = 150_000_000;

describe('a file of a gigabyte', () => {
  let root: string;
  let server: S3Server;

  beforeAll(async () => {
    server = await startS3Server();
    root = await mkdtemp(join(tmpdir(), 'files-system-'));
  });
  afterAll(async () => {
    await server?.close();
    await rm(root, { recursive: true, force: true });
  });

  it.each<[string, () => FileStore]>([
    ['a directory', () => new DirectoryFileStore(root)],
    ['S3', () => new S3FileStore({ client: server.client(), bucket: BUCKET })],
  ])(
    'is kept in and read from %s in little memory',
    async (_name, store) => {
      const context = new TenantContext({} as TenantStore);
      const options = Object.assign(new CheckedFilesOptions(), { store: store() });
      const files = new TenantFiles(context, {} as FileLinks, options);
      const tenant = { id: 'a', schemaName: 'a' } as Tenant;
      const before = process.memoryUsage().rss;
      let peak = 0;
      const look = () => (peak = Math.max(peak, process.memoryUsage().rss - before));
      function* gigabyte() {
        for (let sent = 0; sent < GIGABYTE; sent += PIECE.length) {
          if (sent % (PIECE.length * 100) === 0) look();
          yield PIECE;
        }
      }
      await context.run(tenant, async () => {
        expect((await files.put('large', Readable.from(gigabyte()))).size).toBe(GIGABYTE);
        const file = await files.get('large');
        let read = 0;
        for await (const piece of file!.stream) {
          read += (piece as Buffer).length;
          look();
        }
        expect(read).toBe(GIGABYTE);
      });
      expect(peak).toBeLessThan(MAX_GROWTH);
    },
    120_000,
  );
});
