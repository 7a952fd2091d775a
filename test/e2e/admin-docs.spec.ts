import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TenancyModule } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { startTestApp, type TestApp } from '../support/test-app';

const SIGN_UP = { name: 'sign-up', key: 's'.repeat(32) };
const BACK_OFFICE = { name: 'back office', key: 'b'.repeat(32) };

describe('docs/admin.md, the examples', () => {
  let directory: string;
  let examples: Examples;
  let database: TestDatabase;
  let running: TestApp;
  // An example's class has whatever methods the document gives it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  let client: any;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'admin-docs-'));
    process.env.MASTER_KEYS_FILE = join(directory, 'keys.json');
    await writeFile(process.env.MASTER_KEYS_FILE, JSON.stringify([SIGN_UP, BACK_OFFICE]));
    examples = writeExamples('docs/admin.md');
    database = await createTestDatabase();
    const { TenantsAdminModule } = await examples.import('tenants-admin.module.ts');
    const { UnpaidAccountsJob } = await examples.import('unpaid-accounts.job.ts');
    running = await startTestApp({
      imports: [TenancyModule.forRoot(notesOptions(database)), TenantsAdminModule],
      providers: [UnpaidAccountsJob],
    });
    const { TenantsClient } = await examples.import('tenants-client.ts');
    client = new TenantsClient(await running.app.getUrl(), SIGN_UP.key);
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
    examples?.remove();
    await rm(directory, { recursive: true });
  });

  const get = async (path: string) =>
    rawRequest(running.url, path, { headers: { 'x-master-key': BACK_OFFICE.key } });

  it('make one tenant, however often a sign-up is sent', async () => {
    const made = await Promise.all([1, 2, 3].map(() => client.create('acme', 'sign-up 1')));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    await expect(client.create('acme', 'sign-up 2')).rejects.toThrow('TENANT_SLUG_TAKEN');
  });

  it('count right, however many count at once', async () => {
    await client.create('globex', 'sign-up 3');
    await Promise.all(Array.from({ length: 6 }, () => client.addSeats('globex', 2)));
    const { body } = await get('/admin/tenants/globex');
    expect(body.metadata).toEqual({ seats: 12 });
  });

  it('suspend, and say who did it and why', async () => {
    await client.create('hooli', 'sign-up 4');
    const { UnpaidAccountsJob } = await examples.import('unpaid-accounts.job.ts');
    await running.app.get(UnpaidAccountsJob).run(['hooli']);
    const { body } = await get('/admin/tenants/hooli/audit');
    expect(body.data).toMatchObject([
      { action: 'suspend', actor: 'unpaid accounts', reason: 'unpaid' },
      { action: 'create', actor: 'sign-up' },
    ]);
  });

  it('make a document with the calls and the key', async () => {
    const { openApi } = await examples.import('open-api.ts');
    const { paths, components } = openApi(running.app);
    expect(Object.keys(paths)).toContain('/admin/tenants/{tenant}/audit');
    expect(Object.keys(components.securitySchemes)).toEqual(['X-Master-Key']);
  });
});
