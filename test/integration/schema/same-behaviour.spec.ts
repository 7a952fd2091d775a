import { inSchema } from '../../../lib/schema/catalog';
import { readMakers, repairOf, statementsOf } from '../../../lib/schema/repairs';
import { readStructure } from '../../../lib/schema/structure';
import { compareStructures } from '../../../lib/schema/structure-differences';
import { expectOtherPrints, SchemaBench } from './support';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
});
afterAll(() => bench.close());

const OWNED_AND_EDITED = `
  CREATE TABLE users (id int PRIMARY KEY);
  CREATE TABLE documents (id int PRIMARY KEY, owner_id int, editor_id int);`;
const OWNER = `ALTER TABLE documents ADD CONSTRAINT owned_by FOREIGN KEY (owner_id) REFERENCES users ON DELETE CASCADE;`;
const EDITOR = `ALTER TABLE documents ADD CONSTRAINT edited_by FOREIGN KEY (editor_id) REFERENCES users;`;
const DELETE_OWNER = [
  'INSERT INTO users VALUES (1)',
  'INSERT INTO documents VALUES (1, 1, 1)',
  'DELETE FROM users',
  'SELECT * FROM documents',
];

/** What a script makes, and calls that must come to the same there and in its clone. */
const CASES: Readonly<Record<string, readonly [script: string, calls: readonly string[]]>> = {
  'a key that cascades before one that refuses': [`${OWNED_AND_EDITED} ${OWNER} ${EDITOR}`, DELETE_OWNER],
  'a key that refuses before one that cascades': [`${OWNED_AND_EDITED} ${EDITOR} ${OWNER}`, DELETE_OWNER],
  'the same keys from partitions': [
    `CREATE TABLE users (id int PRIMARY KEY);
     CREATE TABLE documents (id int, owner_id int, editor_id int) PARTITION BY RANGE (id);
     CREATE TABLE documents_1 PARTITION OF documents FOR VALUES FROM (0) TO (10); ${OWNER} ${EDITOR}`,
    DELETE_OWNER,
  ],
  'the same keys to partitions': [
    `CREATE TABLE users (id int PRIMARY KEY) PARTITION BY RANGE (id);
     CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (0) TO (10);
     CREATE TABLE documents (id int, owner_id int, editor_id int); ${OWNER} ${EDITOR}
     CREATE TABLE users_2 PARTITION OF users FOR VALUES FROM (10) TO (20);`,
    [
      ...DELETE_OWNER,
      'INSERT INTO users VALUES (11)',
      'INSERT INTO documents VALUES (2, 11, 11)',
      'DELETE FROM users',
    ],
  ],
  'keys that act on UPDATE': [
    `${OWNED_AND_EDITED}
     ALTER TABLE documents ADD CONSTRAINT z FOREIGN KEY (owner_id) REFERENCES users ON UPDATE SET NULL;
     ALTER TABLE documents ADD CONSTRAINT a FOREIGN KEY (owner_id) REFERENCES users ON UPDATE CASCADE`,
    [DELETE_OWNER[0], DELETE_OWNER[1], 'UPDATE users SET id = 2', 'SELECT * FROM documents'],
  ],
  'a table that refers to itself twice': [
    `CREATE TABLE nodes (id int PRIMARY KEY, z int, a int);
     ALTER TABLE nodes ADD CONSTRAINT z FOREIGN KEY (z) REFERENCES nodes ON DELETE CASCADE;
     ALTER TABLE nodes ADD CONSTRAINT a FOREIGN KEY (a) REFERENCES nodes ON DELETE RESTRICT`,
    [
      'INSERT INTO nodes VALUES (1), (2)',
      'UPDATE nodes SET z = 1, a = 1 WHERE id = 2',
      'DELETE FROM nodes WHERE id = 1',
    ],
  ],
  'what a cascade writes down on its way': [
    `CREATE TABLE log (place serial, line text);
     CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO log (line) VALUES (TG_NAME || TG_TABLE_NAME); RETURN OLD; END $$;
     CREATE TABLE users (id int PRIMARY KEY);
     CREATE TABLE zebras (id int REFERENCES users ON DELETE CASCADE);
     CREATE TABLE apes (id int REFERENCES users ON DELETE CASCADE);
     CREATE TRIGGER z AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION note();
     CREATE TRIGGER a AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION note();
     CREATE TRIGGER z AFTER DELETE ON zebras FOR EACH ROW EXECUTE FUNCTION note();
     CREATE TRIGGER a BEFORE DELETE ON apes FOR EACH ROW EXECUTE FUNCTION note()`,
    [
      'INSERT INTO users VALUES (1)',
      'INSERT INTO zebras VALUES (1)',
      'INSERT INTO apes VALUES (1)',
      'DELETE FROM users',
      'SELECT * FROM log',
    ],
  ],
  'which key a row breaks first, when it breaks several': [
    `CREATE TABLE keys (id int, a int, b int, c int);
     ALTER TABLE keys ADD CONSTRAINT z UNIQUE (a);
     ALTER TABLE keys ADD CONSTRAINT a UNIQUE (b);
     CREATE UNIQUE INDEX y ON keys ((c + 1));
     CREATE UNIQUE INDEX b ON keys (c);
     CREATE TABLE users (id int PRIMARY KEY);
     ALTER TABLE keys ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users;
     ALTER TABLE keys ADD CONSTRAINT e FOREIGN KEY (b) REFERENCES users`,
    [
      'INSERT INTO users VALUES (1), (2)',
      'INSERT INTO keys VALUES (1, 1, 1, 1)',
      'INSERT INTO keys VALUES (1, 1, 1, 1)',
      'INSERT INTO keys VALUES (1, 2, 2, 1)',
      'INSERT INTO keys VALUES (1, 8, 9, 2)',
    ],
  ],
  'rules and triggers of one table': [
    `CREATE TABLE log (place serial, line text);
     CREATE TABLE t (id int);
     CREATE RULE z AS ON INSERT TO t DO ALSO INSERT INTO log (line) VALUES ('z');
     CREATE RULE a AS ON INSERT TO t DO ALSO INSERT INTO log (line) VALUES ('a')`,
    ['INSERT INTO t VALUES (1)', 'SELECT * FROM log'],
  ],
};

it.each(Object.entries(CASES))('the same calls come to the same: %s', async (_subject, [script, calls]) => {
  await bench.build('template', script);
  await bench.clone('template', 'clone');
  expect(await outcomes('clone', calls)).toEqual(await outcomes('template', calls));
});

describe('the order in which foreign keys act', () => {
  it('is part of the structure, where one of them acts', async () => {
    await bench.build('template', `${OWNED_AND_EDITED} ${OWNER} ${EDITOR}`);
    await bench.build('other', `${OWNED_AND_EDITED} ${EDITOR} ${OWNER}`);
    await bench.inTransaction(async () =>
      expectOtherPrints(await bench.prints('other'), await bench.prints('template')),
    );
  });

  it('is told as one difference, with a repair', async () => {
    await bench.build('template', `${OWNED_AND_EDITED} ${OWNER} ${EDITOR}`);
    await bench.build('other', `${OWNED_AND_EDITED} ${EDITOR} ${OWNER}`);
    const read = (name: string) =>
      inSchema(bench.executor, name, (schema, reader) => readStructure(reader, schema));
    const repairs = await bench.inTransaction(async () => {
      const differences = compareStructures(await read('template'), await read('other'));
      expect(differences.flatMap(({ sentences }) => sentences)).toEqual([
        'The effect on DELETE of the order of the foreign keys on users is ["edited_by on documents","owned_by on documents"], ' +
          'and in the template ["owned_by on documents","edited_by on documents"].',
      ]);
      const makers = await readMakers(bench.executor, 'template');
      return statementsOf(differences.flatMap((difference) => repairOf(difference, makers, 'other') ?? []));
    });
    await bench.alter('other', repairs.join('; '));
    await bench.inTransaction(async () =>
      expect(await bench.prints('other')).toEqual(await bench.prints('template')),
    );
  });

  it('is none where they only refuse', async () => {
    const owner = OWNER.replace(' ON DELETE CASCADE', ' ON DELETE RESTRICT');
    await bench.build('template', `${OWNED_AND_EDITED} ${owner} ${EDITOR}`);
    await bench.build('other', `${OWNED_AND_EDITED} ${EDITOR} ${owner}`);
    await bench.inTransaction(async () =>
      expect(await bench.prints('other')).toEqual(await bench.prints('template')),
    );
  });

  it('is that of the names of their triggers, where numbers have grown by a digit', async () => {
    await bench.build('template', `${OWNED_AND_EDITED} ${OWNER} ${EDITOR}`);
    // As if those of the older key were called …_99999, and those of the younger one …_100000.
    await bench.executor.query(
      `UPDATE pg_trigger t SET tgname = replace(tgname, '_a_', '_a_0') FROM pg_constraint c
       WHERE c.oid = t.tgconstraint AND c.conname = 'edited_by' AND c.connamespace = 'template'::regnamespace`,
    );
    await bench.clone('template', 'clone');
    const found = await outcomes('clone', DELETE_OWNER);
    expect(found).toEqual(await outcomes('template', DELETE_OWNER));
    expect(found[2]).toEqual(['23503', 'edited_by']);
  });
});

/** What each call gives: rows, or SQLSTATE with the constraint. All is rolled back. */
async function outcomes(schema: string, calls: readonly string[]): Promise<unknown[]> {
  return bench.trial(schema, async () => {
    const found: unknown[] = [];
    for (const call of calls) {
      await bench.executor.query('SAVEPOINT here');
      try {
        found.push(await bench.rows(call));
      } catch (error) {
        const { code, constraint } = error as { code?: string; constraint?: string };
        found.push([code, constraint]);
        await bench.executor.query('ROLLBACK TO here');
      }
    }
    return found;
  });
}
