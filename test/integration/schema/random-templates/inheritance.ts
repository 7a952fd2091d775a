import fc from 'fast-check';
import {
  type Column,
  type ColumnType,
  insertInto,
  isNot,
  nameOf,
  type Part,
  pick,
  type Relation,
  type Drawn,
} from './vocabulary';

const POOL = [0, 1, 2, 3, 4] as const;
const some = fc.subarray([...POOL]);

const member = fc.record({
  /** Of the members before it. */
  parents: fc.subarray([0, 1, 2, 3], { maxLength: 2 }),
  way: fc.constantFrom('inherits', 'inherits', 'adopts'),
  columns: some,
  /** A column that another one is computed from, which is declared before it. */
  source: fc.constantFrom(undefined, undefined, undefined, ...POOL),
  later: some,
  dropped: fc.constantFrom(undefined, undefined, ...POOL),
  notNull: fc.constantFrom(undefined, ...POOL),
  withDefault: some,
  check: fc.constantFrom('none', 'plain', 'no inherit', 'not valid'),
  isUnlogged: fc.boolean(),
});

const family = fc.record({
  name: fc.nat(20),
  types: fc.array(fc.nat(40), { minLength: POOL.length, maxLength: POOL.length }),
  value: fc.nat(20),
  members: fc.array(member, { maxLength: 4 }),
});

type Family = Drawn<typeof family>;
type Member = Family['members'][number];

export const randomFamily = family;

/** A member while the family grows: columns by their number in the pool, and who inherits from whom. */
interface Growing {
  readonly name: string;
  readonly parents: readonly Growing[];
  readonly columns: Set<number>;
  /** Definitions of computed columns, and the number of the column that each is computed from. */
  readonly computed: ReadonlyMap<string, number>;
  /** It had its columns before it had parents, in an order of its own. */
  readonly adopts: boolean;
}

/** Tables that inherit from one another, made, grown and shrunk as migrations do. */
export function buildFamily(
  { name, types, value, members }: Family,
  known: readonly ColumnType[],
): Part & { readonly relations: readonly Relation[] } {
  const pool = types.map((type, i): Column => ({
    name: nameOf(name + i, `f${i}`),
    type: pick(known, type),
    value,
  }));
  const tables: Growing[] = [];
  const script: string[] = [];
  members.forEach((each, i) => {
    const wanted = each.parents.flatMap((parent) => tables.slice(parent, parent + 1));
    // The cloner refuses, by name, an order of columns that comes of two orders.
    const parents = wanted.some(({ adopts }) => adopts) ? wanted.slice(0, 1) : wanted;
    const made = birth(each, nameOf(name + i, `family ${i}`), parents, pool);
    tables.push(made.table);
    script.push(...made.script);
  });
  members.forEach((each, i) => script.push(...growth(each, tables[i], tables, pool)));
  // Children first: what a parent has besides goes to them, too.
  [...members.entries()].reverse().forEach(([i, each]) => script.push(...settings(each, tables[i], pool)));
  return {
    relations: tables.map((table, i) => ({
      name: table.name,
      columns: columnsOf(table, pool),
      isKeyed: false,
      isPermanent: !members[i].isUnlogged,
      isPopulated: true,
      kind: 'table' as const,
    })),
    script,
    trials: tables.flatMap((table) => [
      ...[0, 1].map(
        (shift) => `${insertInto({ name: table.name, columns: columnsOf(table, pool) }, shift)} RETURNING *`,
      ),
      `INSERT INTO ${table.name} DEFAULT VALUES RETURNING *`,
      `SELECT tableoid::regclass::text, t::text FROM ${table.name} AS t ORDER BY 1, 2`,
      `SELECT count(*) FROM ONLY ${table.name}`,
    ]),
  };
}

function columnsOf({ columns }: Growing, pool: readonly Column[]): Column[] {
  return pool.filter((_column, i) => columns.has(i));
}

function birth(
  { way, columns, isUnlogged, source }: Member,
  name: string,
  parents: readonly Growing[],
  pool: readonly Column[],
): { readonly table: Growing; readonly script: string[] } {
  const inherited = new Set(parents.flatMap((parent) => [...parent.columns]));
  const adopts = way === 'adopts' && parents.length > 0;
  const own = adopts ? [...new Set([...columns, ...inherited])].reverse() : columns;
  const known = new Set([...own, ...inherited]);
  const ownComputed: [string, number][] =
    source !== undefined && known.has(source)
      ? [
          [
            `"of ${name.replaceAll('"', '')}" boolean GENERATED ALWAYS AS (${pool[source].name} IS NULL) STORED`,
            source,
          ],
        ]
      : [];
  const computed = new Map([...parents.flatMap((parent) => [...parent.computed]), ...ownComputed]);
  const declared = adopts ? [...computed.keys()] : ownComputed.map(([definition]) => definition);
  const lines = [...declared, ...own.map((i) => `${pool[i].name} ${pool[i].type.sql}`)].join(', ');
  const create = `CREATE ${isUnlogged ? 'UNLOGGED ' : ''}TABLE ${name} (${lines})`;
  const names = parents.map((parent) => parent.name);
  return {
    table: { name, parents, columns: known, computed, adopts },
    script: adopts
      ? [`${create};`, ...names.map((parent) => `ALTER TABLE ${name} INHERIT ${parent};`)]
      : [`${create}${names.length > 0 ? ` INHERITS (${names.join(', ')})` : ''};`],
  };
}

function growth(
  { later, dropped }: Member,
  table: Growing,
  tables: readonly Growing[],
  pool: readonly Column[],
): string[] {
  const added = later.filter((i) => !table.columns.has(i));
  const heirs = tables.filter((other) => other === table || descends(other, table));
  added.forEach((i) => heirs.forEach((heir) => heir.columns.add(i)));
  return [
    ...added.map((i) => `ALTER TABLE ${table.name} ADD COLUMN ${pool[i].name} ${pool[i].type.sql};`),
    ...drop(dropped, table, tables, pool),
  ];
}

/** Only what nobody inherits from it or gave it: whether a child keeps its own would have to be known. */
function drop(
  column: number | undefined,
  table: Growing,
  tables: readonly Growing[],
  pool: readonly Column[],
): string[] {
  if (column === undefined || !table.columns.has(column)) return [];
  if (table.parents.length > 0 || tables.some((other) => descends(other, table))) return [];
  if ([...table.computed.values()].includes(column)) return [];
  table.columns.delete(column);
  return [`ALTER TABLE ${table.name} DROP COLUMN ${pool[column].name};`];
}

function descends(table: Growing, from: Growing): boolean {
  return table.parents.some((parent) => parent === from || descends(parent, from));
}

function settings(
  { notNull, withDefault, check }: Member,
  table: Growing,
  pool: readonly Column[],
): string[] {
  const [first] = columnsOf(table, pool);
  return [
    ...withDefault
      .filter((i) => table.columns.has(i))
      .map(
        (i) => `ALTER TABLE ${table.name} ALTER ${pool[i].name} SET DEFAULT ${pick(pool[i].type.values, i)};`,
      ),
    ...(notNull !== undefined && table.columns.has(notNull)
      ? [`ALTER TABLE ${table.name} ALTER ${pool[notNull].name} SET NOT NULL;`]
      : []),
    ...(first === undefined || check === 'none'
      ? []
      : [
          `ALTER TABLE ${table.name} ADD CHECK (${isNot(first.name, first.type, first.type.values[0])})` +
            `${{ plain: '', 'no inherit': ' NO INHERIT', 'not valid': ' NOT VALID' }[check]};`,
        ]),
  ];
}
