import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import type { INestApplication } from '@nestjs/common';
import { TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';

describe('docs/files.md', () => {
  const environment = { ...process.env };
  let examples: Examples;
  let database: TestDatabase;
  let directory: string;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/files.md');
    database = await createTestDatabase();
    directory = await mkdtemp(join(tmpdir(), 'docs-files-'));
    Object.assign(process.env, {
      DATABASE_URL: database.url,
      TENANCY_MASTER_KEY: MASTER_KEY,
      TENANCY_CARRY_KEYS: '1:a secret of at least thirty-two characters',
      FILES_DIRECTORY: directory,
    });
    const { FilesAppModule } = await examples.import('files-app.module.ts');
    app = await NestFactory.create(FilesAppModule, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    process.env = environment;
    await app?.close();
    await database.drop();
    examples.remove();
    await rm(directory, { recursive: true, force: true });
  });

  it('keeps, lists, gives and removes the files of each tenant', async () => {
    for (const slug of ['acme', 'globex']) await app.get(TenantProvisioner).create({ slug });
    const ask = async (slug: string, path: string, method = 'GET', body?: string) => {
      const headers = { 'x-tenant-id': slug, 'content-type': 'text/plain' };
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
    await ask('acme', 'documents/note', 'DELETE');
    expect(await ask('acme', 'documents/note')).toMatchObject([404, expect.anything()]);
  });
});
