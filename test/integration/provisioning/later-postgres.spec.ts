import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { hashStructures, readHashQuery } from '../../../lib/schema/structure-hashes';
import { FleetDrift } from '../../../lib';
import { SchemaBench } from '../schema/support';
import { ownDatabase, schemasOf } from './app';

/**
 * What a later PostgreSQL may bring is made here by hand, which a superuser may: in catalogs of which no statement below
 * makes a row, since the server writes only the columns that it knows.
 */
const LATER_COLUMNS = `
  SET allow_system_table_mods = on;
  ALTER TABLE pg_catalog.pg_conversion ADD COLUMN conlater text;
  ALTER TABLE pg_catalog.pg_ts_dict ADD COLUMN dictlater integer`;

describe('On a PostgreSQL that keeps what this version does not know', () => {
  const { database, start } = ownDatabase();

  it('the application starts with one warning that names it, makes tenants, and sees no drift', async () => {
    await start();
    await database.query(LATER_COLUMNS);
    await database.query(
      `SET allow_system_table_mods = on;
       UPDATE pg_attribute SET attoptions = '{note_later=7}' WHERE attrelid = 'template.note'::regclass AND attname = 'text';
       UPDATE pg_class SET reloptions = '{table_later=on}' WHERE oid = 'template.note'::regclass`,
    );
    const { app, create, log } = await start();
    for (const slug of ['acme', 'globex']) await create({ slug });
    expect(log.errors).toEqual([]);
    expect(log.warnings).toEqual([
      expect.stringMatching(
        /does not know: parameter note_later of column note\.text, parameter table_later of note, pg_conversion\.conlater, pg_ts_dict\.dictlater\. Tenants are made without them/,
      ),
    ]);
    const [acme] = await schemasOf(database);
    await expect(
      database.query(`SELECT reloptions FROM pg_class WHERE oid = '${acme}.note'::regclass`),
    ).resolves.toEqual([{ reloptions: null }]);
    await expect(app.get(FleetDrift).check()).resolves.toMatchObject({ checked: 2, drifted: 0 });
  });
});

describe('A fingerprint', () => {
  it('is the same when the catalogs get columns that this version does not know', async () => {
    const bench = await SchemaBench.open();
    try {
      await bench.build(
        'template',
        `CREATE CONVERSION mine FOR 'LATIN1' TO 'UTF8' FROM pg_catalog.iso8859_1_to_utf8;
         CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple)`,
      );
      const query = await readHashQuery(bench.executor);
      const look = () =>
        bench.inTransaction(async () => [
          await fingerprintSchema(bench.executor, 'template'),
          (await hashStructures(bench.executor, query, ['template'])).get('template'),
          (await readHashQuery(bench.executor)).schemas,
        ]);
      const before = await look();
      await bench.executor.query(LATER_COLUMNS);
      await bench.executor.query(`UPDATE pg_conversion SET conlater = 'x' WHERE conname = 'mine'`);
      expect(await look()).toEqual(before);
    } finally {
      await bench.close();
    }
  });
});
