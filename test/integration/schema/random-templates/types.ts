import fc from 'fast-check';
import { type ColumnType, isNot, nameOf, type Part, pick, type Drawn } from './vocabulary';
import { checkOf, type Functions } from './functions';

const type = fc.record({
  kind: fc.constantFrom('enum', 'composite', 'domain', 'domain', 'array'),
  name: fc.nat(20),
  /** One of PostgreSQL's own types, or of those made before. */
  base: fc.nat(20),
  other: fc.nat(20),
  check: fc.constantFrom('none', 'plain', 'not valid', 'function'),
  notNull: fc.boolean(),
  withDefault: fc.boolean(),
  value: fc.nat(20),
});

type RandomType = Drawn<typeof type>;

export const randomTypes = fc.array(type, { maxLength: 6 });

/** Enums, composite types and domains over one another; all types that columns may have, too. */
export function buildTypes(
  wanted: readonly RandomType[],
  builtIn: readonly ColumnType[],
  functions: Functions,
): Part & { readonly types: readonly ColumnType[] } {
  const types = [...builtIn];
  const script: string[] = [];
  const trials: string[] = [];
  wanted.forEach((each, index) => {
    const name = nameOf(each.name, `type ${index}`);
    const made = MAKERS[each.kind](each, name, types, functions);
    script.push(...made.script);
    trials.push(...(made.trials ?? []));
    types.push(made.type);
  });
  return { script, trials, types };
}

interface Made {
  readonly script: readonly string[];
  readonly trials?: readonly string[];
  readonly type: ColumnType;
}

type Maker = (each: RandomType, name: string, types: readonly ColumnType[], functions: Functions) => Made;

const MAKERS: Readonly<Record<RandomType['kind'], Maker>> = {
  enum: ({ value }, name) => {
    const labels = ["'sad'", "'it''s \\ ok'", "'größe'"].slice(0, 1 + (value % 3));
    return {
      script: [
        `CREATE TYPE ${name} AS ENUM (${labels.join(', ')});`,
        `ALTER TYPE ${name} ADD VALUE 'first' BEFORE 'sad';`,
      ],
      trials: [`SELECT enum_range(NULL::${name})::text`],
      type: { sql: name, values: [...labels, 'NULL'] },
    };
  },

  composite: ({ base, other }, name, types) => {
    const [a, b] = [pick(types, base), pick(types, other)];
    return {
      script: [`CREATE TYPE ${name} AS (a ${a.sql}, "B b" ${b.sql});`],
      type: {
        sql: name,
        values: [...[0, 1].map((i) => `ROW(${pick(a.values, i)}, ${pick(b.values, i)})::${name}`), 'NULL'],
      },
    };
  },

  domain: ({ base, check, notNull, withDefault, value }, name, types, functions) => {
    const over = pick(types, base);
    const refused = pick(over.values, value);
    const condition = `CHECK (${isNot('VALUE', over, refused === 'NULL' ? over.values[0] : refused)})`;
    const inFunction = checkOf(functions, over, value, 'VALUE');
    return {
      script: [
        [
          `CREATE DOMAIN ${name} AS ${over.sql}`,
          over.sql === 'text' && value % 2 === 1 ? 'COLLATE "C"' : '',
          withDefault ? `DEFAULT ${pick(over.values, value + 1)}` : '',
          notNull ? 'NOT NULL' : '',
          check === 'plain' ? `CONSTRAINT "fine ${value}" ${condition}` : '',
          check === 'function' && inFunction !== undefined ? `CHECK (${inFunction})` : '',
        ].join(' ') + ';',
        ...(check === 'not valid'
          ? [`ALTER DOMAIN ${name} ADD CONSTRAINT unproven ${condition} NOT VALID;`]
          : []),
      ],
      type: { sql: name, values: over.values, isArray: over.isArray, base: over.base ?? over.sql },
    };
  },

  array: ({ base, other }, _name, types) => {
    const element = [pick(types, base), pick(types, other)].find(({ isArray }) => !isArray) ?? types[0];
    const sql = `${element.sql}[]`;
    return {
      script: [],
      type: {
        sql,
        values: [`ARRAY[${element.values.slice(0, 2).join(', ')}]::${sql}`, 'NULL'],
        isArray: true,
      },
    };
  },
};
