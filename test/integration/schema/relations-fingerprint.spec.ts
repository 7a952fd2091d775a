import { RELATION_TEMPLATES, RELATION_TEMPLATES_18, SURROUNDINGS } from './relations-templates';
import { expectOtherPrints, type Prints, SchemaBench } from './support';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query(SURROUNDINGS);
});

afterAll(() => bench.close());

/** By template: what changes it in one property. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  'typed tables': [
    'ALTER TABLE typed NOT OF',
    'ALTER TABLE typed_elsewhere NOT OF; CREATE TYPE other AS (a integer, b text); ALTER TABLE typed_elsewhere OF other',
    'ALTER TABLE typed ALTER a SET DEFAULT 5',
    'ALTER TABLE typed DROP CONSTRAINT filled',
  ],
  'tables of another access method': [
    'ALTER TABLE piled SET ACCESS METHOD heap',
    'ALTER MATERIALIZED VIEW piled_view SET ACCESS METHOD heap',
  ],
  'marks on tables': [
    'ALTER TABLE full_ REPLICA IDENTITY NOTHING',
    'ALTER TABLE nothing_ REPLICA IDENTITY DEFAULT',
    'ALTER TABLE "By Index" REPLICA IDENTITY USING INDEX "By Index_other_key"',
    'ALTER TABLE "By Index" SET WITHOUT CLUSTER',
    'ALTER TABLE "By Index" CLUSTER ON "The Index"',
    'ALTER MATERIALIZED VIEW clustered_view SET WITHOUT CLUSTER',
    'ALTER INDEX expressions ALTER 1 SET STATISTICS 6',
    'ALTER INDEX expressions ALTER 2 SET STATISTICS -1',
  ],
  'unlogged tables': ['ALTER TABLE fleeting SET LOGGED', 'ALTER SEQUENCE fleeting_numbers SET LOGGED'],
  'sequences that belong elsewhere': [
    'ALTER SEQUENCE "Renamed Seq" OWNED BY one.id',
    'ALTER SEQUENCE of_view OWNED BY NONE',
    'ALTER SEQUENCE free CACHE 4',
    'ALTER SEQUENCE "Narrow Seq" NO CYCLE',
    'ALTER SEQUENCE "Narrow Seq" RENAME TO other_name',
  ],
  'identities whose sequences were changed since': [
    'ALTER SEQUENCE wider_id_seq AS integer MAXVALUE 2147483647 RESTART 1',
    'ALTER SEQUENCE narrower_id_seq AS bigint',
    'ALTER SEQUENCE wider_small_seq SET LOGGED',
    'ALTER SEQUENCE fleeting_id_seq SET UNLOGGED',
  ],
  'keys with parameters': [
    'ALTER INDEX first_ SET (fillfactor = 71)',
    'ALTER INDEX first_ RESET (deduplicate_items)',
    'ALTER INDEX thrice RESET (fillfactor)',
    'ALTER INDEX apart SET (fillfactor = 51)',
    'ALTER TABLE keyed DROP CONSTRAINT twice',
  ],
  'foreign keys in circles': [
    'ALTER TABLE a DROP CONSTRAINT a_self_fkey, ADD CONSTRAINT a_self_fkey FOREIGN KEY (self) REFERENCES a ON DELETE SET NULL',
    'ALTER TABLE a VALIDATE CONSTRAINT to_b',
    'ALTER TABLE b ALTER CONSTRAINT b_a_fkey DEFERRABLE INITIALLY IMMEDIATE',
    'ALTER TABLE a DROP CONSTRAINT a_country_fkey',
    'ALTER TABLE a DISABLE TRIGGER ALL',
  ],
  'partitions of every kind': [
    'ALTER TABLE sales DETACH PARTITION sales_us',
    `ALTER TABLE sales DETACH PARTITION sales_us; ALTER TABLE sales ATTACH PARTITION sales_us FOR VALUES IN ('us')`,
    'ALTER TABLE sales_eu DETACH PARTITION sales_eu_rest',
    'ALTER TABLE sales_eu DETACH PARTITION sales_eu_1; ALTER TABLE sales_eu DETACH PARTITION sales_eu_rest; ALTER TABLE sales_eu ATTACH PARTITION sales_eu_1 DEFAULT',
    'ALTER TABLE sales_eu_1 DETACH PARTITION sales_eu_1_a; ALTER TABLE sales_eu_1 ATTACH PARTITION sales_eu_1_a FOR VALUES WITH (MODULUS 4, REMAINDER 2)',
    'DROP TABLE sales_eu CASCADE; CREATE TABLE sales_eu PARTITION OF sales DEFAULT',
    'ALTER TABLE sales VALIDATE CONSTRAINT unsure',
    'ALTER TABLE sales_us DROP CONSTRAINT own',
    `ALTER TABLE sales_us ALTER day SET DEFAULT '2020-01-02'`,
    'ALTER TABLE sales_us ALTER amount SET STATISTICS 10',
    'ALTER TABLE sales_us ALTER amount SET STORAGE MAIN',
    'ALTER TABLE sales_eu_1_a SET (fillfactor = 34)',
    'ALTER TABLE sales_eu_1_a SET LOGGED',
    'ALTER TABLE sales_us RENAME CONSTRAINT own TO own_',
    'ALTER TABLE sales RENAME CONSTRAINT positive TO positive_',
    'DROP STATISTICS sales_statistics',
    `COMMENT ON TABLE sales_eu_1 IS 'x'`,
    `COMMENT ON COLUMN sales_us.day IS 'x'`,
  ],
  'keys and indexes of partitions': [
    'DROP INDEX waiting',
    'CREATE INDEX for_waiting ON p1 (lower(note)); ALTER INDEX waiting ATTACH PARTITION for_waiting',
    'CREATE INDEX for_half ON p2_0 (id DESC); ALTER INDEX half ATTACH PARTITION for_half',
    'ALTER INDEX "own index" RENAME TO x',
    'ALTER INDEX "own index" SET (fillfactor = 45)',
    'DROP INDEX p1_twin',
    'ALTER TABLE p1 RENAME CONSTRAINT "own key" TO x',
    'ALTER TABLE p DROP CONSTRAINT another',
    'ALTER TABLE p REPLICA IDENTITY DEFAULT',
    `COMMENT ON INDEX notes IS 'x'`,
    `COMMENT ON INDEX "own index" IS 'x'`,
  ],
  'foreign keys to and from partitions': [
    'ALTER TABLE source DROP CONSTRAINT to_plain',
    'ALTER TABLE source_1 RENAME CONSTRAINT "own name" TO x',
    'ALTER TABLE source_2_a DROP CONSTRAINT only_here',
    'ALTER TABLE outside DROP CONSTRAINT again',
    'ALTER TABLE outside ALTER CONSTRAINT outside_t_fkey NOT DEFERRABLE',
    'ALTER TABLE source RENAME CONSTRAINT to_target TO x',
  ],
  'triggers of partitions': [
    'ALTER TABLE p2 ENABLE TRIGGER rows_',
    'ALTER TABLE p1_a DISABLE TRIGGER rows_',
    'ALTER TABLE ONLY p ENABLE TRIGGER late',
    'ALTER TABLE ONLY p1 ENABLE REPLICA TRIGGER late',
    'DROP TRIGGER statements ON p',
    'DROP TRIGGER own ON p2',
    `COMMENT ON TRIGGER rows_ ON p IS 'x'`,
  ],
  'identities of partitioned tables': [
    'ALTER TABLE p ALTER id SET GENERATED BY DEFAULT',
    'ALTER TABLE p ALTER id SET START 9',
    'ALTER TABLE p2 ALTER n SET DEFAULT 8',
  ],
  'inheritance from several parents': [
    'ALTER TABLE child NO INHERIT aged',
    'ALTER TABLE adopted NO INHERIT aged; ALTER TABLE adopted INHERIT aged',
    'ALTER TABLE ONLY child ALTER age SET DEFAULT 6',
    'ALTER TABLE ONLY grandchild ALTER age DROP DEFAULT',
    `ALTER TABLE ONLY child ALTER name SET DEFAULT 'y'`,
    'ALTER TABLE ONLY child ALTER note SET STORAGE PLAIN',
    'ALTER TABLE ONLY grandchild ALTER note SET STATISTICS 4',
    'ALTER TABLE child ALTER own DROP IDENTITY',
    'ALTER TABLE child SET (fillfactor = 78)',
    'ALTER TABLE aged DROP COLUMN name',
    'ALTER TABLE aged DROP CONSTRAINT aged_name_check',
    `COMMENT ON COLUMN grandchild.age IS 'x'`,
    `COMMENT ON CONSTRAINT old ON child IS 'x'`,
  ],
  'inheritance that grew': [
    'ALTER TABLE apart NO INHERIT top',
    'ALTER TABLE bottom NO INHERIT "left"; ALTER TABLE bottom INHERIT "left"',
    'ALTER TABLE top VALIDATE CONSTRAINT unsure',
    'ALTER TABLE "right" VALIDATE CONSTRAINT unsure',
    'ALTER TABLE bottom VALIDATE CONSTRAINT own',
    'ALTER TABLE ONLY top DROP COLUMN again',
    'ALTER TABLE "right" DROP COLUMN later; ALTER TABLE "right" ADD COLUMN later integer, ADD CONSTRAINT by_function CHECK (fine(later))',
  ],
  'materialized views on one another': [
    'REFRESH MATERIALIZED VIEW empty',
    'REFRESH MATERIALIZED VIEW a_second WITH NO DATA',
    'DROP MATERIALIZED VIEW empty; CREATE MATERIALIZED VIEW empty AS SELECT total, name FROM a_second WHERE total > 1 WITH NO DATA',
    'ALTER MATERIALIZED VIEW a_second SET (fillfactor = 51)',
    'ALTER MATERIALIZED VIEW a_second RESET (toast.autovacuum_enabled)',
    'DROP INDEX z_first_id',
    'DROP INDEX lowered; CREATE INDEX lowered ON a_second (lower(name)) WHERE total > 1',
    'DROP STATISTICS of_view',
    'ALTER MATERIALIZED VIEW z_first ALTER name SET STORAGE MAIN',
    'ALTER MATERIALIZED VIEW z_first ALTER name SET STATISTICS 5',
    'ALTER MATERIALIZED VIEW z_first ALTER name SET (n_distinct = 3)',
    'ALTER MATERIALIZED VIEW z_first ALTER name SET COMPRESSION default',
    `COMMENT ON MATERIALIZED VIEW empty IS 'x'`,
    `COMMENT ON COLUMN empty.name IS 'x'`,
  ],
  'extended statistics': [
    'ALTER STATISTICS everything SET STATISTICS 1',
    'ALTER STATISTICS single SET STATISTICS -1',
    'ALTER STATISTICS two_kinds RENAME TO x',
    'ALTER STATISTICS two_kinds SET SCHEMA shared',
    'DROP STATISTICS "One Kind"; CREATE STATISTICS "One Kind" (mcv) ON a, b FROM measured',
    'DROP STATISTICS "One Kind"; CREATE STATISTICS "One Kind" (ndistinct) ON a, c FROM measured',
    'DROP STATISTICS two_kinds; CREATE STATISTICS two_kinds (dependencies, mcv) ON a, upper(c) FROM measured',
    `COMMENT ON STATISTICS single IS 'x'`,
  ],
  'rules of all kinds': [
    'ALTER RULE ins ON v RENAME TO x',
    'DROP RULE upd_all ON v',
    'CREATE OR REPLACE RULE "Note It" AS ON DELETE TO t DO ALSO NOTIFY changes',
    'CREATE OR REPLACE RULE off AS ON DELETE TO t DO ALSO NOTHING; ALTER TABLE t DISABLE RULE off',
    'ALTER TABLE t ENABLE RULE off',
    'ALTER TABLE t ENABLE RULE always',
    'ALTER TABLE t ENABLE ALWAYS RULE replica',
    `COMMENT ON RULE ins ON v IS 'x'`,
    `COMMENT ON RULE "_RETURN" ON v IS 'x'`,
  ],
};

const CHANGES_18: typeof CHANGES = {
  'not-null constraints of partitions': [
    'ALTER TABLE p DROP CONSTRAINT late',
    'ALTER TABLE p VALIDATE CONSTRAINT late',
    'ALTER TABLE p2 VALIDATE CONSTRAINT late',
    `COMMENT ON CONSTRAINT own ON p1 IS 'x'`,
  ],
  'not-null constraints of inheriting tables': [
    'ALTER TABLE top ALTER CONSTRAINT here INHERIT',
    'ALTER TABLE plain ALTER c DROP NOT NULL',
    'ALTER TABLE kid VALIDATE CONSTRAINT unsure',
  ],
  'virtual columns': ['ALTER TABLE other_kid ALTER twice SET EXPRESSION AS (id * 5)'],
  'constraints that are not enforced': [
    'ALTER TABLE p ALTER CONSTRAINT unchecked ENFORCED',
    'ALTER TABLE p VALIDATE CONSTRAINT unsure',
    'ALTER TABLE top DROP CONSTRAINT loose',
  ],
  'keys over periods': ['ALTER TABLE stays DROP CONSTRAINT stays_room_during_fkey'],
  'access methods of partitioned tables': [
    'ALTER TABLE unstated SET ACCESS METHOD heap',
    'ALTER TABLE ONLY stated SET ACCESS METHOD pile',
    'ALTER TABLE other_2 SET ACCESS METHOD pile',
  ],
  'identities of partitions': ['ALTER TABLE p ALTER id SET INCREMENT 2'],
};

async function around(change: string): Promise<[Prints, Prints]> {
  return bench.trial('template', async () => {
    const before = await bench.prints('template');
    await bench.executor.query(change);
    return [before, await bench.prints('template')];
  });
}

const subjects = [
  ...Object.keys(RELATION_TEMPLATES).map(
    (subject) => [subject, RELATION_TEMPLATES[subject], CHANGES[subject] ?? [], 15] as const,
  ),
  ...Object.keys(RELATION_TEMPLATES_18).map(
    (subject) => [subject, RELATION_TEMPLATES_18[subject], CHANGES_18[subject] ?? [], 18] as const,
  ),
].filter(([, , changes]) => changes.length > 0);

describe.each(subjects)('the fingerprint of %s changes with', (_, script, changes, since) => {
  let isThere: boolean;

  beforeAll(async () => {
    isThere = (await bench.majorVersion()) >= since;
    if (isThere) await bench.build('template', script);
  });

  it.each(changes)('%s', async (change) => {
    if (!isThere) return;
    const [before, after] = await around(change);
    expectOtherPrints(after, before);
  });
});
