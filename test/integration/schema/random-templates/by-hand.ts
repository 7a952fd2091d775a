import fc from 'fast-check';
import { pick, type Drawn } from './vocabulary';

/** Conditions as people write them, which PostgreSQL prints otherwise the second time. All tables have these columns. */
const CONDITIONS = [
  `code IN ('new', 'paid')`,
  `code NOT IN ('old', 'gone')`,
  `low BETWEEN 1 AND 12 AND high > 3`,
  `(low, high) = (1, 4) AND code = 'new'`,
  `(low, high) < (5, 6) OR code IS NULL`,
  `low IN (high, 1) OR high > 3`,
  `code LIKE 'n%' AND low NOT BETWEEN 3 AND 4`,
];

/** The columns that they are about, and what may be put there. */
export const HAND_COLUMNS = [
  `code varchar(20) DEFAULT 'new'`,
  'low integer DEFAULT 1',
  'high integer DEFAULT 4',
];

export const randomByHand = fc.record({
  check: fc.nat(20),
  isChecked: fc.boolean(),
  index: fc.nat(20),
  isIndexed: fc.boolean(),
  view: fc.constantFrom('none', 'plain', 'common table', 'hiding'),
  seen: fc.nat(20),
  code: fc.constantFrom("'new'", "'gone'", 'NULL'),
  low: fc.nat(8),
});

type ByHand = Drawn<typeof randomByHand>;

/** Checks, an index and a view of such conditions on one table, and what shows that they hold. */
export function writtenByHand(
  { check, isChecked, index, isIndexed, view, seen, code, low }: ByHand,
  table: string,
  suffix: string,
): { readonly script: readonly string[]; readonly trials: readonly string[] } {
  const name = `"seen by hand ${suffix}"`;
  const condition = pick(CONDITIONS, seen);
  const views = {
    none: [],
    plain: [`CREATE VIEW ${name} AS SELECT code, low FROM ${table} WHERE ${condition};`],
    'common table': [
      `CREATE VIEW ${name} AS WITH fine AS (SELECT code, low FROM ${table} WHERE ${condition}) SELECT * FROM fine;`,
    ],
    // PostgreSQL prints the schema of the table that the other one hides.
    hiding: [
      `CREATE VIEW ${name} AS WITH ${table} AS (SELECT code, low FROM ${table} WHERE ${condition}) SELECT * FROM ${table};`,
    ],
  };
  return {
    script: [
      ...(isChecked
        ? [`ALTER TABLE ${table} ADD CONSTRAINT "by hand" CHECK (${pick(CONDITIONS, check)});`]
        : []),
      ...(isIndexed ? [`CREATE INDEX ON ${table} (low) WHERE ${pick(CONDITIONS, index)};`] : []),
      ...views[view],
    ],
    trials: [
      `INSERT INTO ${table} (code, low) VALUES (${code}, ${low}) RETURNING code, low, high`,
      ...(view === 'none' ? [] : [`SELECT * FROM ${name} AS t ORDER BY t::text`]),
    ],
  };
}
