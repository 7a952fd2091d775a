import { compileBlueprint } from '../../../lib/schema/blueprint';
import { expectOtherPrints, type Prints, SchemaBench } from './support';
import { ROUTINES, TYPES } from './types-and-routines';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query('CREATE SCHEMA shared');
  await bench.build('types', TYPES);
  await bench.build('routines', ROUTINES);
});

afterAll(() => bench.close());

/** The fingerprints of a schema before and after a change, which is then undone. */
function around(schema: string, change: string): Promise<[Prints, Prints]> {
  return bench.trial(schema, async () => {
    const before = await bench.prints(schema);
    await bench.executor.query(change);
    return [before, await bench.prints(schema)];
  });
}

const setType = (name: string, set: string) => `UPDATE pg_type SET ${set} WHERE oid = '${name}'::regtype`;
const setRange = (set: string) => `UPDATE pg_range SET ${set} WHERE rngtypid = 'stay'::regtype`;
const setCollation = (set: string) =>
  `UPDATE pg_collation SET ${set} WHERE collname = 'numeric_order' AND collnamespace = 'types'::regnamespace`;
const setAggregate = (set: string, aggregate = 'summed(numeric)') =>
  `UPDATE pg_aggregate SET ${set} WHERE aggfnoid = '${aggregate}'::regprocedure`;
const setOperator = (set: string) =>
  `UPDATE pg_operator SET ${set} WHERE oid = '= (complex, complex)'::regoperator`;
const setClass = (set: string) => `UPDATE pg_opclass SET ${set} WHERE opcname = 'by_real'`;
const setMember = (catalog: string, set: string, family: string) =>
  `UPDATE ${catalog} SET ${set} WHERE ${catalog.slice(3)}family = (SELECT oid FROM pg_opfamily WHERE opfname = '${family}')`;

const TYPE_CHANGES: readonly (readonly [string, string])[] = [
  // Enums
  ['the name of an enum', 'ALTER TYPE mood RENAME TO x'],
  ['a label', `ALTER TYPE mood RENAME VALUE 'sad' TO 'x'`],
  [
    'the order of labels',
    `UPDATE pg_enum SET enumsortorder = 9 WHERE enumtypid = 'mood'::regtype AND enumlabel = 'sad'`,
  ],
  // Composite types
  ['an attribute more', 'ALTER TYPE nothing ADD ATTRIBUTE x integer'],
  ['an attribute less', 'ALTER TYPE "Mixed Case" DROP ATTRIBUTE last CASCADE'],
  ['the name of an attribute', 'ALTER TYPE "Mixed Case" RENAME ATTRIBUTE last TO x CASCADE'],
  [
    'the type of an attribute',
    `UPDATE pg_attribute SET atttypid = 'bigint'::regtype WHERE attrelid = '"Mixed Case"'::regclass AND attname = 'a b'`,
  ],
  [
    'the precision of an attribute',
    `UPDATE pg_attribute SET atttypmod = 4 WHERE attrelid = '"Mixed Case"'::regclass AND attname = 'at'`,
  ],
  [
    'the collation of an attribute',
    `UPDATE pg_attribute SET attcollation = '"POSIX"'::regcollation WHERE attrelid = '"Mixed Case"'::regclass AND attname = 'select'`,
  ],
  [
    'the order of attributes',
    'ALTER TYPE "Mixed Case" DROP ATTRIBUTE "a b" CASCADE, ADD ATTRIBUTE "a b" integer',
  ],
  ['the comment on a composite type', `COMMENT ON TYPE "Mixed Case" IS 'x'`],
  ['the comment on an attribute', `COMMENT ON COLUMN "Mixed Case"."a b" IS 'x'`],
  // Domains
  ['the name of a domain', 'ALTER DOMAIN heir RENAME TO x'],
  ['the base of a domain', setType('bits', `typbasetype = 'varbit[]'::regtype`)],
  ['the length of a domain', setType('parent', 'typtypmod = 15')],
  ['the collation of a domain', setType('parent', `typcollation = '"POSIX"'::regcollation`)],
  ['the default of a domain', `ALTER DOMAIN parent SET DEFAULT 'y'`],
  ['a default that is gone', 'ALTER DOMAIN heir DROP DEFAULT'],
  ['a default that calls a function', `ALTER DOMAIN ticket SET DEFAULT nextval('ticket_numbers') + 1`],
  ['not null', setType('heir', 'typnotnull = true')],
  ['a check more', 'ALTER DOMAIN heir ADD CONSTRAINT x CHECK (true) NOT VALID'],
  ['a check less', 'ALTER DOMAIN looped DROP CONSTRAINT small'],
  [
    'a check',
    'ALTER DOMAIN late DROP CONSTRAINT unproven; ALTER DOMAIN late ADD CONSTRAINT unproven CHECK (VALUE > 1) NOT VALID',
  ],
  ['the name of a check', 'ALTER DOMAIN late RENAME CONSTRAINT unproven TO x'],
  ['the validity of a check', `UPDATE pg_constraint SET convalidated = true WHERE conname = 'unproven'`],
  ['the comment on a domain', `COMMENT ON DOMAIN parent IS 'x'`],
  ['the comment on a check', `COMMENT ON CONSTRAINT "not empty" ON DOMAIN parent IS 'x'`],
  // Ranges
  ['the name of a range', 'ALTER TYPE stay RENAME TO x'],
  ['the subtype of a range', setRange(`rngsubtype = 'timestamp'::regtype`)],
  [
    'the operator class of a range',
    setRange(`rngsubopc = (SELECT min(oid) FROM pg_opclass WHERE opcname = 'text_pattern_ops')`),
  ],
  ['the collation of a range', setRange(`rngcollation = '"C"'::regcollation`)],
  ['the difference of a range', setRange('rngsubdiff = 0')],
  ['the canonical function of a range', setRange(`rngcanonical = 'daterange_canonical'::regproc`)],
  ['the name of a multirange', 'ALTER TYPE "Many Stays" RENAME TO x'],
  ['the name of a constructor', 'ALTER FUNCTION first_name(text, text) RENAME TO second_name'],
  ['a property of a constructor', 'ALTER FUNCTION first_name(text, text) COST 7'],
  ['the comment on a multirange', `COMMENT ON TYPE "Many Stays" IS 'x'`],
  // Collations
  ['the name of a collation', 'ALTER COLLATION numeric_order RENAME TO x'],
  ['the provider of a collation', setCollation(`collprovider = 'c'`)],
  ['the determinism of a collation', setCollation('collisdeterministic = false')],
  ['the encoding of a collation', setCollation('collencoding = 6')],
  ['LC_COLLATE of a collation', setCollation(`collcollate = 'C'`)],
  ['LC_CTYPE of a collation', setCollation(`collctype = 'C'`)],
  ['the comment on a collation', `COMMENT ON COLLATION plain IS 'x'`],
  // Casts
  ['a cast more', 'CREATE CAST (nobody AS text) WITH INOUT'],
  [
    'a cast from an array',
    `CREATE FUNCTION x(mood[]) RETURNS integer LANGUAGE sql RETURN 1; CREATE CAST (mood[] AS integer) WITH FUNCTION x(mood[])`,
  ],
  ['a cast less', 'DROP CAST (mood AS text)'],
  [
    'the context of a cast',
    'DROP CAST (mood AS text); CREATE CAST (mood AS text) WITH INOUT; ' +
      `COMMENT ON CAST (mood AS text) IS 'words'`,
  ],
  [
    'the method of a cast',
    `UPDATE pg_cast SET castmethod = 'b' WHERE castsource = 'mood'::regtype AND casttarget = 'text'::regtype`,
  ],
  [
    'the function of a cast',
    `UPDATE pg_cast SET castfunc = 'a_number'::regproc WHERE castsource = 'mood'::regtype AND casttarget = 'integer'::regtype`,
  ],
  ['the comment on a cast', `COMMENT ON CAST (mood AS text) IS 'x'`],
  // Conversions
  ['the name of a conversion', 'ALTER CONVERSION conv_two RENAME TO x'],
  ...[
    'condefault = false',
    'conforencoding = 9',
    'contoencoding = 9',
    `conproc = 'utf8_to_win'::regproc`,
  ].map(
    (set) =>
      [
        `${set.split(' ')[0]} of a conversion`,
        `UPDATE pg_conversion SET ${set} WHERE conname = 'conv_two'`,
      ] as const,
  ),
  ['the comment on a conversion', `COMMENT ON CONVERSION conv_two IS 'x'`],
  // Text search
  ['the name of a parser', 'ALTER TEXT SEARCH PARSER "My Parser" RENAME TO x'],
  ...['prsstart', 'prstoken', 'prsend', 'prsheadline', 'prslextype'].map(
    (column) =>
      [
        `${column} of a parser`,
        `UPDATE pg_ts_parser SET ${column} = 'dsimple_init'::regproc WHERE prsname = 'My Parser'`,
      ] as const,
  ),
  ['the name of a template', 'ALTER TEXT SEARCH TEMPLATE own_simple RENAME TO x'],
  ...['tmplinit', 'tmpllexize'].map(
    (column) =>
      [
        `${column} of a template`,
        `UPDATE pg_ts_template SET ${column} = 'prsd_end'::regproc WHERE tmplname = 'own_simple'`,
      ] as const,
  ),
  ['the name of a dictionary', 'ALTER TEXT SEARCH DICTIONARY z_words RENAME TO x'],
  ['an option of a dictionary', 'ALTER TEXT SEARCH DICTIONARY z_words (accept = true)'],
  [
    'the template of a dictionary',
    `UPDATE pg_ts_dict SET dicttemplate = (SELECT oid FROM pg_ts_template WHERE tmplname = 'simple') WHERE dictname = 'z_words'`,
  ],
  ['the name of a configuration', 'ALTER TEXT SEARCH CONFIGURATION "Own Words" RENAME TO x'],
  [
    'the parser of a configuration',
    `UPDATE pg_ts_config SET cfgparser = (SELECT oid FROM pg_ts_parser WHERE prsname = 'default') WHERE cfgname = 'Own Words'`,
  ],
  ['a mapping more', 'ALTER TEXT SEARCH CONFIGURATION "Own Words" ADD MAPPING FOR email WITH z_words'],
  ['a mapping less', 'ALTER TEXT SEARCH CONFIGURATION "Own Words" DROP MAPPING FOR uint'],
  [
    'the order of a mapping',
    'ALTER TEXT SEARCH CONFIGURATION "Own Words" ALTER MAPPING FOR word WITH z_words, a_thesaurus, z_stems',
  ],
  [
    'a dictionary of a mapping',
    'ALTER TEXT SEARCH CONFIGURATION "Own Words" ALTER MAPPING FOR uint WITH z_words',
  ],
  ...['PARSER "My Parser"', 'TEMPLATE own_simple', 'DICTIONARY z_words', 'CONFIGURATION "Own Words"'].map(
    (object) => [`the comment on text search ${object}`, `COMMENT ON TEXT SEARCH ${object} IS 'x'`] as const,
  ),
];

const ROUTINE_CHANGES: readonly (readonly [string, string])[] = [
  // Functions
  ['the support function of a function', `UPDATE pg_proc SET prosupport = 0 WHERE oid = 'fits'::regproc`],
  ['the transforms of a function', `UPDATE pg_proc SET protrftypes = '{23}' WHERE oid = 'fits'::regproc`],
  [
    'the standard body of a procedure',
    'CREATE OR REPLACE PROCEDURE add_item(x integer) LANGUAGE sql BEGIN ATOMIC INSERT INTO items (id) VALUES (x + 1); END',
  ],
  [
    'the default of an argument',
    `CREATE OR REPLACE FUNCTION priced(low numeric DEFAULT 1) RETURNS TABLE (id integer, "Name" text) LANGUAGE sql ROWS 12 AS 'SELECT id, name FROM items WHERE price > low'`,
  ],
  ['the name of an argument', `UPDATE pg_proc SET proargnames = '{y}' WHERE oid = 'add_item'::regproc`],
  ['the mode of an argument', `UPDATE pg_proc SET proargmodes = '{i,i,o}' WHERE oid = '"Do It"'::regproc`],
  ['a setting of a function', `ALTER FUNCTION settled() SET "app.own" = 'x'`],
  // Aggregates
  ['the name of an aggregate', 'ALTER AGGREGATE glued(text) RENAME TO x'],
  ['an overload of an aggregate', 'DROP AGGREGATE summed(*)'],
  ...[
    `aggkind = 'h'`,
    'aggnumdirectargs = 1',
    `aggtransfn = 'take_away'::regproc`,
    `aggfinalfn = '-'::regproc`,
    `aggcombinefn = '-'::regproc`,
    `aggserialfn = 'numeric_send'::regproc`,
    `aggdeserialfn = 'numeric_recv'::regproc`,
    `aggmtransfn = 'take_away'::regproc`,
    `aggminvtransfn = 'add_up'::regproc`,
    `aggmfinalfn = '-'::regproc`,
    'aggfinalextra = true',
    'aggmfinalextra = true',
    `aggfinalmodify = 's'`,
    `aggmfinalmodify = 's'`,
    `aggsortop = '< (numeric, numeric)'::regoperator`,
    `aggtranstype = 'float8'::regtype`,
    'aggtransspace = 33',
    `aggmtranstype = 'float8'::regtype`,
    'aggmtransspace = 65',
    `agginitval = '1'`,
    `aggminitval = '1'`,
  ].map((set) => [`${set.split(' ')[0]} of an aggregate`, setAggregate(set)] as const),
  ['an initial value that is gone', setAggregate('agginitval = NULL')],
  [
    'the parallel safety of an aggregate',
    `UPDATE pg_proc SET proparallel = 'u' WHERE oid = 'summed(numeric)'::regprocedure`,
  ],
  ['the comment on an aggregate', `COMMENT ON AGGREGATE summed(*) IS 'x'`],
  // Operators
  ['an operator more', 'CREATE OPERATOR @@@ (RIGHTARG = complex, FUNCTION = negative)'],
  ['an operator less', 'DROP OPERATOR - (NONE, complex)'],
  ...[
    `oprname = '==='`,
    'oprcanmerge = false',
    'oprcanhash = true',
    `oprresult = 'text'::regtype`,
    'oprcom = 0',
    'oprnegate = 0',
    `oprcode = 'complex_ne'::regproc`,
    `oprrest = 'neqsel'::regproc`,
    `oprjoin = 'neqjoinsel'::regproc`,
  ].map((set) => [`${set.split(' ')[0]} of an operator`, setOperator(set)] as const),
  ['the comment on an operator', `COMMENT ON OPERATOR = (complex, complex) IS 'x'`],
  // Operator classes and families
  ['the name of a class', 'ALTER OPERATOR CLASS by_real USING btree RENAME TO x'],
  ['a class that is no default', setClass('opcdefault = false')],
  ['the storage of a class', setClass(`opckeytype = 'text'::regtype`)],
  ['the type of a class', setClass(`opcintype = 'items'::regtype`)],
  [
    'the family of a class',
    setClass(`opcfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'backwards')`),
  ],
  ['the method of a class', setClass(`opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hash')`)],
  ['the name of a family', 'ALTER OPERATOR FAMILY "Complex Family" USING btree RENAME TO x'],
  [
    'an operator of a family less',
    'ALTER OPERATOR FAMILY "Complex Family" USING btree DROP OPERATOR 1 (complex, float8)',
  ],
  [
    'a function of a family less',
    'ALTER OPERATOR FAMILY "Complex Family" USING btree DROP FUNCTION 1 (complex, float8)',
  ],
  [
    'an operator of a class',
    setMember('pg_amop', `amopopr = '<> (complex, complex)'::regoperator`, 'Complex Family') +
      ' AND amopstrategy = 3',
  ],
  ['the strategy of an operator', setMember('pg_amop', 'amopstrategy = amopstrategy + 7', 'Complex Family')],
  ['the purpose of an operator', setMember('pg_amop', `amoppurpose = 's'`, 'points')],
  ['the sort family of an operator', setMember('pg_amop', 'amopsortfamily = 0', 'points')],
  ['a function of a class', setMember('pg_amproc', `amproc = 'btint4cmp'::regproc`, 'Complex Family')],
  ['the number of a function', setMember('pg_amproc', 'amprocnum = amprocnum + 9', 'points')],
  [
    'what a member is bound to',
    `UPDATE pg_depend SET refclassid = 'pg_opfamily'::regclass, refobjid = (SELECT oid FROM pg_opfamily WHERE opfname = 'backwards')
     WHERE classid = 'pg_amop'::regclass AND refclassid = 'pg_opclass'::regclass
       AND refobjid = (SELECT oid FROM pg_opclass WHERE opcname = 'backwards')`,
  ],
  ['the comment on a class', `COMMENT ON OPERATOR CLASS by_real USING btree IS 'x'`],
  ['the comment on a family', `COMMENT ON OPERATOR FAMILY "Complex Family" USING btree IS 'x'`],
];

describe('a fingerprint changes with', () => {
  it.each([
    ...TYPE_CHANGES.map((change) => ['types', ...change] as const),
    ...ROUTINE_CHANGES.map((change) => ['routines', ...change] as const),
  ])('%s: %s', async (schema, _, change) => {
    const [before, after] = await around(schema, change);
    expectOtherPrints(after, before);
  });

  it('the rules of a collation, from PostgreSQL 16 on', async () => {
    const [before, after] = await around(
      'types',
      `DO $$ BEGIN
         IF current_setting('server_version_num')::int >= 160000 THEN
           UPDATE pg_collation SET collicurules = 'x' WHERE collname = 'numeric_order';
         ELSE COMMENT ON COLLATION numeric_order IS 'x'; END IF; END $$`,
    );
    expectOtherPrints(after, before);
  });
});

describe('a fingerprint does not change with', () => {
  it.each([
    [
      'the recorded version of a collation',
      `UPDATE pg_collation SET collversion = 'x' WHERE collname = 'numeric_order'`,
    ],
    [
      'an attribute that came and went',
      'ALTER TYPE nothing ADD ATTRIBUTE x integer; ALTER TYPE nothing DROP ATTRIBUTE x',
    ],
    ['a type made again', 'DROP TYPE nobody; CREATE TYPE nobody AS ENUM ()'],
    [
      'the search path under which a default was set',
      "SET LOCAL search_path = pg_catalog; ALTER DOMAIN types.ticket SET DEFAULT nextval('types.ticket_numbers')",
    ],
    [
      'a type of the same name elsewhere',
      `CREATE TYPE shared.mood AS ENUM ('x'); CREATE CAST (shared.mood AS text) WITH INOUT`,
    ],
  ])('%s', async (_, change) => {
    const [before, after] = await around('types', change);
    expect(after).toEqual(before);
  });
});

describe('the cost of a fingerprint and of a blueprint', () => {
  const CATALOGS = [
    ...[
      'aggregate',
      'amop',
      'amproc',
      'attribute',
      'cast',
      'class',
      'collation',
      'constraint',
      'conversion',
      'depend',
      'enum',
    ],
    ...[
      'opclass',
      'operator',
      'opfamily',
      'proc',
      'range',
      'ts_config',
      'ts_config_map',
      'ts_dict',
      'ts_parser',
      'ts_template',
      'type',
    ],
  ];

  /** Rows of each catalog read, whole or by index, on this connection since its transaction began. */
  async function rowsRead(): Promise<Map<string, number>> {
    const counts = await bench.rows<{ name: string; tuples: number }>(
      // An index counts the entries that scans of it return, a table the rows that scans of the whole return.
      `SELECT name, (pg_stat_get_xact_tuples_returned(oid) + (
                SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index WHERE indrelid = oid))::int AS tuples
       FROM unnest($1::text[]) AS name, to_regclass('pg_' || name) AS oid`,
      [CATALOGS],
    );
    return new Map(counts.map(({ name, tuples }) => [name, tuples]));
  }

  async function cost(): Promise<Map<string, number>> {
    return bench.inTransaction(async () => {
      const before = await rowsRead();
      await compileBlueprint(bench.executor, 'types');
      await compileBlueprint(bench.executor, 'routines');
      const after = await rowsRead();
      return new Map(CATALOGS.map((name) => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)]));
    });
  }

  /** The least of several runs: what other suites change on the server empties caches, which are then read anew. */
  async function leastCost(): Promise<Map<string, number>> {
    const runs = [await cost(), await cost(), await cost(), await cost(), await cost(), await cost()];
    return new Map(CATALOGS.map((name) => [name, Math.min(...runs.map((run) => run.get(name) ?? 0))]));
  }

  it('does not follow the number of other schemas', async () => {
    const alone = await leastCost();
    for (const clone of ['one', 'two', 'three', 'four']) {
      await bench.clone('types', `types_${clone}`);
      await bench.clone('routines', `routines_${clone}`);
    }
    await bench.executor.query('ANALYZE');
    const among = await leastCost();
    const grown = CATALOGS.filter((name) => (among.get(name) ?? 0) > (alone.get(name) ?? 0) * 1.3 + 10);
    expect(grown.map((name) => `${name}: ${alone.get(name)} became ${among.get(name)}`)).toEqual([]);
  });
});
