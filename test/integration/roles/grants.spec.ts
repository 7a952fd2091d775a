import { prepareTenantRole } from '../../../lib/provisioning/roles/role-grants';
import { generateSchemaName } from '../../../lib/registry/schema-name';
import { createRolesDatabase, type RolesDatabase } from '../../support/two-roles';

const SCHEMA = generateSchemaName();

describe('The role of a tenant', () => {
  let database: RolesDatabase;

  beforeEach(async () => {
    database = await createRolesDatabase();
    await database.query(`CREATE SCHEMA ${SCHEMA}`);
  });
  afterEach(() => database.drop());

  const prepare = () => prepareTenantRole(database, SCHEMA, database.login);

  /** What may be read, by the kind of it. */
  const readable = () =>
    database.query<{ kind: string; name: string; may: boolean }>(
      `SELECT relkind AS kind, relname AS name,
         CASE relkind WHEN 'S' THEN has_sequence_privilege('${SCHEMA}', oid, 'USAGE')
         ELSE has_table_privilege('${SCHEMA}', oid, 'SELECT') END AS may
       FROM pg_class WHERE relnamespace = '${SCHEMA}'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
       ORDER BY relkind, relname`,
    );

  it('may use every kind of table, and sequences, whatever they are called, of now and later', async () => {
    await database.query(
      `SET search_path = ${SCHEMA};
       CREATE TABLE "Odd, ""name""." (id serial);
       CREATE TABLE parted (id int) PARTITION BY LIST (id);
       CREATE TABLE part PARTITION OF parted DEFAULT;
       CREATE VIEW seen AS SELECT 1;
       CREATE MATERIALIZED VIEW kept AS SELECT 1;
       CREATE FOREIGN DATA WRAPPER nothing;
       CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
       CREATE FOREIGN TABLE far (id int) SERVER nowhere`,
    );
    await prepare();
    await database.query(`CREATE TABLE ${SCHEMA}.later (id serial)`);
    expect((await readable()).map(({ kind, name, may }) => `${kind} ${name}${may ? '' : ': no'}`)).toEqual([
      'S Odd, "name"._id_seq',
      'S later_id_seq',
      'f far',
      'm kept',
      'p parted',
      'r Odd, "name".',
      'r later',
      'r part',
      'v seen',
    ]);
  });

  it('is made for a schema that has nothing yet', async () => {
    await prepare();
    await database.query(`CREATE TABLE ${SCHEMA}.later (id int)`);
    expect(await readable()).toEqual([{ kind: 'r', name: 'later', may: true }]);
  });
});
