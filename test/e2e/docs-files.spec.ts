import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import type { INestApplication } from '@nestjs/common';
import { TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { BUCKET, type S3Server, startS3Server } from '../support/s3-server/s3-server';
import { CREDENTIALS, REGION } from '../support/s3-server/signature';
import { MASTER_KEY } from '../support/sample-app';

describe.each([
  ['a directory', 'files-app.module.ts', 'FilesAppModule'],
  ['S3', 's3-files.module.ts', 'S3FilesModule'],
])('docs/files.md, in %s', (_where, file, name) => {
  const environment = { ...process.env };
  let examples: Examples;
  let database: TestDatabase;
  let directory: string;
  let server: S3Server;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/files.md');
    database = await createTestDatabase();
    server = await startS3Server();
    directory = await mkdtemp(join(tmpdir(), 'docs-files-'));
    Object.assign(process.env, {
      DATABASE_URL: database.url,
      TENANCY_MASTER_KEY: MASTER_KEY,
      TENANCY_CARRY_KEYS: '1:a secret of at least thirty-two characters',
      FILES_DIRECTORY: directory,
      FILES_BUCKET: BUCKET,
      AWS_ENDPOINT_URL_S3: server.url,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    });
    const { [name]: module } = await examples.import(file);
    app = await NestFactory.create(module, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    process.env = environment;
    await app?.close();
    await server.close();
    await database.drop();
    examples.remove();
    await rm(directory, { recursive: true, force: true });
  });

  it('keeps, lists, gives and removes the files of each tenant', async () => {
    for (const slug of ['acme', 'globex']) await app.get(TenantProvisioner).create({ slug });
    const ask = async (slug: string, path: string, method = 'GET', body?: string, type = 'text/plain') => {
      const headers = { 'x-tenant-id': slug, 'content-type': type };
      const answer = await fetch(new URL(path, await app.getUrl()), { method, headers, body });
      return [answer.status, await answer.text()] as const;
    };
    const [status, kept] = await ask('acme', 'documents/note', 'PUT', 'tea');
    expect([status, JSON.parse(kept)]).toMatchObject([
      200,
      { key: 'documents/note', contentType: 'text/plain' },
    ]);
    expect(await ask('acme', 'documents/note')).toEqual([200, 'tea']);
    expect(await ask('globex', 'documents/note')).toMatchObject([404, expect.anything()]);
    const [, list] = await ask('acme', 'documents');
    expect(JSON.parse(list)).toMatchObject({ files: [{ key: 'documents/note', size: 3 }] });
    expect(await ask('globex', 'documents')).toEqual([200, '{"files":[]}']);

    const { url } = JSON.parse((await ask('acme', 'documents/note/url'))[1]) as { url: string };
    const answer = await fetch(new URL(url, await app.getUrl()));
    expect([answer.status, await answer.text()]).toEqual([200, 'tea']);
    // Nest's own parser has read this one, to its end.
    const parsed = await ask('acme', 'documents/note', 'PUT', '{}', 'application/json');
    expect([parsed[0], JSON.parse(parsed[1])]).toMatchObject([500, { code: 'FILE_BODY_READ' }]);
    expect(await ask('acme', 'documents/note')).toEqual([200, 'tea']);
    await ask('acme', 'documents/note', 'DELETE');
    expect(await ask('acme', 'documents/note')).toMatchObject([404, expect.anything()]);
  });
});
