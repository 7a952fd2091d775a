import fc from 'fast-check';
import { quoteIdentifier, quoteLiteral } from '../../../lib/common/sql';

/** A schema that nobody thought of, and rows to try on it. */
export interface RandomTemplate {
  readonly script: string;
  /** Statements whose outcome, rows or SQLSTATE, must be the same in the template and in its clone. */
  readonly trials: readonly string[];
}

const NAMES = [
  'plain',
  'Mixed Case',
  'select',
  'it"s',
  "o'clock",
  'größe',
  '表',
  'back\\slash',
  'a.b',
  '$1',
  'percent%s',
];

/** SQL of a type, and values that it may or may not take. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  integer: ['0', '-7', '2147483647', 'NULL'],
  text: ["'a'", "'it''s \\ x'", "''", 'NULL'],
  'numeric(6, 2)': ['1.005', '99999', '-3', 'NULL'],
  boolean: ['true', 'false', 'NULL'],
  'timestamptz(0)': ["'2024-02-29 12:34:56.7+02'", 'NULL'],
  jsonb: [`'{"a": [1, null]}'`, 'NULL'],
  'text[]': [`'{a,"b c",NULL}'`, 'NULL'],
  uuid: ["'00000000-0000-7000-8000-000000000001'", 'NULL'],
  daterange: ["'[2024-01-01,2024-02-01)'", "'empty'", 'NULL'],
};

const column = fc.record({
  type: fc.constantFrom(...Object.keys(TYPES)),
  notNull: fc.boolean(),
  withDefault: fc.boolean(),
  unique: fc.constantFrom('none', 'unique', 'index', 'partial', 'nulls'),
  check: fc.boolean(),
  value: fc.nat(),
});

const table = fc.record({
  name: fc.nat(NAMES.length - 1),
  key: fc.constantFrom('serial', 'identity', 'always', 'none'),
  columns: fc.array(column, { minLength: 1, maxLength: 5 }),
  parent: fc.nat(),
  onDelete: fc.constantFrom('NO ACTION', 'CASCADE', 'SET NULL', 'RESTRICT'),
  deferred: fc.boolean(),
  generated: fc.boolean(),
  trigger: fc.boolean(),
  view: fc.boolean(),
  policy: fc.boolean(),
  comment: fc.string({ unit: 'binary', maxLength: 12 }),
});

type Column = (typeof column extends fc.Arbitrary<infer T> ? T : never) & { readonly name: string };
type Table = typeof table extends fc.Arbitrary<infer T> ? T : never;

export const randomTemplate: fc.Arbitrary<RandomTemplate> = fc
  .array(table, { minLength: 1, maxLength: 5 })
  .map((tables) => {
    const built = tables.map((each, index) => buildTable(each, index, tables));
    return {
      script: [TRIGGER_FUNCTION, ...built.map(({ script }) => script)].join('\n'),
      trials: built.flatMap(({ trials }) => trials),
    };
  });

const TRIGGER_FUNCTION = `
  CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
  CREATE SEQUENCE counter INCREMENT 3;
  CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.stamped := TG_ARGV[0] || TG_TABLE_NAME || nextval('counter'); RETURN NEW; END $$;`;

function buildTable(table: Table, index: number, tables: readonly Table[]) {
  const nameOf = (each: Table, i: number) => quoteIdentifier(`${NAMES[each.name]} ${i}`);
  const name = nameOf(table, index);
  const columns = table.columns.map((each, i): Column => ({
    ...each,
    name: quoteIdentifier(`${NAMES[(table.name + i) % NAMES.length]} c${i}`),
  }));
  const parents = tables.flatMap((each, i) => (i < index && each.key !== 'none' ? [nameOf(each, i)] : []));
  const parent = parents[table.parent % Math.max(parents.length, 1)];
  const defined = [
    ...KEYS[table.key],
    ...columns.map(defineColumn),
    "mood mood DEFAULT 'it''s ok'",
    'stamped text',
    ...(table.generated
      ? [`computed text GENERATED ALWAYS AS (${columns[0].name}::text) STORED`].filter(() =>
          /integer|text$|boolean|uuid/.test(columns[0].type),
        )
      : []),
    ...(parent
      ? [
          `parent integer REFERENCES ${parent} ON DELETE ${table.onDelete}${table.deferred ? ' DEFERRABLE INITIALLY DEFERRED' : ''}`,
        ]
      : []),
  ];
  const comment = table.comment.replaceAll('\0', '');
  const script = [
    `CREATE TABLE ${name} (${defined.join(', ')});`,
    ...columns.flatMap((each) => indexOf(name, each)),
    ...(table.trigger
      ? [`CREATE TRIGGER "stamp it" BEFORE INSERT ON ${name} FOR EACH ROW EXECUTE FUNCTION stamp('it''s ');`]
      : []),
    ...(table.view
      ? [
          `CREATE VIEW ${quoteIdentifier(`view of ${index}`)} WITH (security_barrier) AS SELECT * FROM ${name} WHERE mood IS NOT NULL;`,
        ]
      : []),
    ...(table.policy
      ? [
          `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`,
          `CREATE POLICY "some" ON ${name} USING (mood <> 'sad') WITH CHECK (true);`,
          `CREATE POLICY "never" ON ${name} AS RESTRICTIVE FOR INSERT WITH CHECK (stamped IS DISTINCT FROM 'no');`,
        ]
      : []),
    ...(comment !== '' ? [`COMMENT ON TABLE ${name} IS ${quoteLiteral(comment)};`] : []),
  ].join('\n');
  const list = columns.map(({ name: each }) => each).join(', ');
  const values = (shift: number) =>
    columns.map(({ type, value }) => TYPES[type][(value + shift) % TYPES[type].length]).join(', ');
  return {
    script,
    trials: [0, 1, 2]
      .map(
        (shift) =>
          `INSERT INTO ${name} (${list}${parent ? ', parent' : ''}) VALUES (${values(shift)}${parent ? `, ${shift}` : ''}) RETURNING *`,
      )
      .concat([
        `INSERT INTO ${name} DEFAULT VALUES RETURNING *`,
        // A policy hides the one, and refuses the other unless a trigger stamps it.
        `INSERT INTO ${name} (${list}, mood) VALUES (${values(1)}, 'sad')`,
        `INSERT INTO ${name} (${list}, stamped) VALUES (${values(2)}, 'no')`,
        `SELECT * FROM ${name}`,
        ...(parent ? [`DELETE FROM ${parent}`] : []),
      ]),
  };
}

const KEYS: Readonly<Record<Table['key'], readonly string[]>> = {
  serial: ['id serial PRIMARY KEY'],
  identity: ['id integer GENERATED BY DEFAULT AS IDENTITY (START 5 INCREMENT 2) PRIMARY KEY'],
  always: ['id integer GENERATED ALWAYS AS IDENTITY', 'PRIMARY KEY (id)'],
  none: [],
};

function defineColumn({ name, type, notNull, withDefault, unique, check, value }: Column): string {
  const preset = TYPES[type][value % TYPES[type].length];
  return [
    `${name} ${type}`,
    notNull ? 'NOT NULL' : '',
    withDefault ? `DEFAULT ${preset}` : '',
    unique === 'unique' ? 'UNIQUE' : unique === 'nulls' ? 'UNIQUE NULLS NOT DISTINCT' : '',
    check ? `CHECK (${name} IS DISTINCT FROM ${TYPES[type][0]})` : '',
  ].join(' ');
}

function indexOf(table: string, { name, unique }: Column): string[] {
  if (unique === 'index') return [`CREATE INDEX ON ${table} (${name} DESC NULLS LAST);`];
  return unique === 'partial' ? [`CREATE UNIQUE INDEX ON ${table} (${name}) WHERE stamped IS NULL;`] : [];
}
