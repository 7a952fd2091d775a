import fc from 'fast-check';
import { checkOf, defaultOf, type Functions } from './functions';
import { BUILT_IN, type Column, isNot, pick, type Drawn } from './vocabulary';

export const randomColumn = fc.record({
  type: fc.nat(40),
  notNull: fc.boolean(),
  withDefault: fc.constantFrom('none', 'plain', 'function'),
  unique: fc.constantFrom('none', 'unique', 'index', 'partial', 'nulls', 'exclude', 'expression'),
  check: fc.constantFrom('none', 'plain', 'not valid', 'function'),
  value: fc.nat(20),
});

type BuiltColumn = Omit<Drawn<typeof randomColumn>, 'type'> & Column;

/** A line of CREATE TABLE. */
export function defineColumn(column: BuiltColumn, functions: Functions): string {
  const { name, type, notNull, withDefault, unique, check, value } = column;
  const made = defaultOf(functions, type, value);
  const preset = withDefault === 'function' && made !== undefined ? made : pick(type.values, value);
  return [
    `${name} ${type.sql}`,
    notNull ? 'NOT NULL' : '',
    withDefault === 'none' ? '' : `DEFAULT ${preset}`,
    unique === 'unique' ? 'UNIQUE' : unique === 'nulls' ? 'UNIQUE NULLS NOT DISTINCT' : '',
    check === 'plain' ? `CHECK (${isNot(name, type, type.values[0])})` : '',
    check === 'function' ? `CHECK (${checkOf(functions, type, value, name) ?? `${name} IS NOT NULL`})` : '',
  ].join(' ');
}

/** What cannot stand in that line. */
export function alterColumn(
  table: string,
  { name, type, unique, check, value }: BuiltColumn,
  functions: Functions,
): string[] {
  const fine = checkOf(
    functions.filter(({ isFirm }) => isFirm),
    type,
    value,
    name,
  );
  return [
    ...(check === 'not valid'
      ? [`ALTER TABLE ${table} ADD CHECK (${isNot(name, type, type.values[0])}) NOT VALID;`]
      : []),
    ...{
      none: [],
      unique: [],
      nulls: [],
      index: [`CREATE INDEX ON ${table} (${name} DESC NULLS LAST);`],
      partial: [`CREATE UNIQUE INDEX ON ${table} (${name}) WHERE stamped IS NULL;`],
      expression: fine === undefined ? [] : [`CREATE INDEX ON ${table} ((${fine}), (stamped || 'x'));`],
      exclude: [
        type.sql === 'daterange'
          ? `ALTER TABLE ${table} ADD EXCLUDE USING gist (${name} WITH &&) WHERE (stamped IS NULL) DEFERRABLE;`
          : // PostgreSQL finds no equality for a domain over an enum here.
            `ALTER TABLE ${table} ADD EXCLUDE USING btree (${BUILT_IN.includes(type) ? name : 'stamped'} WITH =);`,
      ],
    }[unique],
  ];
}
