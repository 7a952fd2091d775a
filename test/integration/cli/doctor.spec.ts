import { checkupPool, examine } from '../../../lib/cli/doctor/examine';
import { checkSessions } from '../../../lib/cli/doctor/pooler-checks';
import type { Patient } from '../../../lib/cli/doctor/finding';
import { resolveOptions } from '../../../lib/options/resolve-options';
import { CORE_MIGRATIONS } from '../../../lib/registry/registry-migrations';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000, notesOptions } from '../../support/notes';

describe('doctor, on a database that no application has met', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('has shared schemas made by who will make them: their migrations, or somebody', async () => {
    const options = resolveOptions(
      notesOptions(database, {
        sharedSchemas: ['reference', 'extensions'],
        sharedMigrations: { reference: [CreateNotes1700000000000] },
      }),
    );
    const findings = await examine(options, CORE_MIGRATIONS);
    const remedies = findings.filter(({ check }) => check === 'sharedSchemas').map(({ remedy }) => remedy);
    expect(remedies.sort()).toEqual([
      'CREATE SCHEMA "extensions", or take it from sharedSchemas',
      expect.stringContaining('run: tenancy migrate up'),
    ]);
  });

  it('looks where a directUrl leads', async () => {
    const elsewhere = await createTestDatabase();
    const found = async (directUrl: string) => {
      const options = resolveOptions(notesOptions(database, { database: { url: database.url, directUrl } }));
      return (await examine(options, CORE_MIGRATIONS)).filter(({ check }) => check === 'directUrl');
    };
    try {
      await expect(found(elsewhere.url)).resolves.toEqual([
        expect.objectContaining({
          severity: 'problem',
          message: expect.stringMatching(/^leads to another database/),
        }),
      ]);
      await expect(found(database.url)).resolves.toEqual([expect.objectContaining({ severity: 'ok' })]);
    } finally {
      await elsewhere.drop();
    }
  });

  it('ends when the connection breaks on which it asks where a directUrl leads', async () => {
    const { url } = database;
    const options = resolveOptions(notesOptions(database, { database: { url, directUrl: url } }));
    const pool = checkupPool(options);
    const taken: unknown[] = [];
    pool.on('acquire', (client) => {
      if (taken.push(client) === 2)
        client.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
    });
    await expect(checkSessions({ options, pool } as Patient)).rejects.toThrow(/connection/i);
    await pool.end();
    expect(taken).toHaveLength(2);
  });
});
