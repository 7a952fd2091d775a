import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Tenant } from '../../lib';
import { DirectoryFileStore, type FileStore } from '../../lib/files';
import { S3FileStore } from '../../lib/files/s3';
import { BUCKET, startS3Server } from './s3-server/s3-server';

/** A store that keeps files, and what a test sees behind its back. */
export interface StoreOfFiles {
  readonly store: FileStore;
  /** How many bytes a key may have. */
  room(tenant: Tenant): number;
  /** Whose files there are. */
  owners(): Promise<string[]>;
  /** What is on its way, or was left there. */
  uploads(): Promise<string[]>;
  /** Changes the first byte of a file. */
  damage(tenant: Tenant, key: string): Promise<void>;
  close(): Promise<void>;
}

export const STORES_OF_FILES: readonly (readonly [name: string, start: () => Promise<StoreOfFiles>])[] = [
  ['a directory', directory],
  ['S3', () => s3(connect)],
];

async function directory(): Promise<StoreOfFiles> {
  const root = await mkdtemp(join(tmpdir(), 'files-spec-'));
  const store = new DirectoryFileStore(root);
  // It makes what it needs when it is used.
  await store.head({ owner: 'none', key: 'none' });
  return {
    store,
    room: () => 1_024,
    owners: async () => (await readdir(root)).filter((name) => /^t-(?!\.)/.test(name)).sort(),
    uploads: () => readdir(join(root, 'uploads')),
    damage: async ({ schemaName }, key) => {
      const path = join(root, `t-${schemaName}`, `f-${key}`);
      await writeFile(path, changed(await readFile(path)));
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}

const PREFIX = 'app-1/';

/** A bucket of a test's own. */
export interface TestBucket {
  readonly client: S3Client;
  readonly Bucket: string;
  close(): Promise<void>;
}

export async function s3(start: () => Promise<TestBucket>): Promise<StoreOfFiles> {
  const { client, Bucket, close } = await start();
  const keys = async (prefix: string) => {
    const found: string[] = [];
    for (;;) {
      const { Contents = [], IsTruncated } = await client.send(
        new ListObjectsV2Command({ Bucket, Prefix: prefix, StartAfter: found.at(-1) }),
      );
      found.push(...Contents.map(({ Key }) => Key!));
      if (!IsTruncated) return found;
    }
  };
  return {
    store: new S3FileStore({ client, bucket: Bucket, prefix: PREFIX }),
    room: ({ schemaName }) => 1_024 - `${PREFIX}${schemaName}/`.length,
    owners: async () =>
      [...new Set((await keys(PREFIX)).map((key) => key.split('/')[1]))]
        .filter((name) => !name.startsWith('.'))
        .sort(),
    uploads: async () => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
      return [...(await keys(`${PREFIX}.uploads/`)), ...Uploads.map(({ Key }) => Key!)];
    },
    damage: async ({ schemaName }, key) => {
      const at = { Bucket, Key: `${PREFIX}${schemaName}/${key}` };
      const { Body, ContentType, Metadata } = await client.send(new GetObjectCommand(at));
      const bytes = changed(Buffer.from(await Body!.transformToByteArray()));
      await client.send(new PutObjectCommand({ ...at, Body: bytes, ContentType, Metadata }));
    },
    close,
  };
}

/** The test's own server, or the one of `TEST_S3_URL`: `http://<key>:<secret>@127.0.0.1:9000/<bucket>`, which is empty. */
async function connect(): Promise<TestBucket> {
  const given = process.env.TEST_S3_URL;
  if (given !== undefined) return bucketAt(given);
  const server = await startS3Server();
  return { client: server.client({ maxAttempts: 1 }), Bucket: BUCKET, close: () => server.close() };
}

export function bucketAt(url: string): TestBucket {
  const { origin, username, password, pathname } = new URL(url);
  const credentials = { accessKeyId: username, secretAccessKey: password };
  const client = new S3Client({ endpoint: origin, region: 'us-east-1', credentials, forcePathStyle: true });
  return { client, Bucket: pathname.slice(1), close: () => Promise.resolve(client.destroy()) };
}

function changed(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[0] ^= 1;
  return copy;
}
