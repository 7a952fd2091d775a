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
/** A column of one name in all tables that have it: plain, or computed from that column of the pool. */
const shared = fc.constantFrom(undefined, undefined, undefined, 'plain' as const, ...POOL);

const member = fc.record({
  /** Of the members before it. */
  parents: fc.shuffledSubarray([0, 1, 2, 3], { maxLength: 3 }),
  way: fc.constantFrom('inherits', 'inherits', 'adopts'),
  columns: some,
  order: fc.shuffledSubarray([...POOL], { minLength: POOL.length }),
  /** A column that another one is computed from, which is declared before it. */
  source: fc.constantFrom(undefined, undefined, undefined, ...POOL),
  shared,
  /** The member after which it grows. */
  growsAfter: fc.nat(4),
  later: some,
  laterShared: shared,
  dropped: fc.constantFrom(undefined, undefined, ...POOL),
  /** Leaves its first parent and comes back, if PostgreSQL lets it. */
  comesBack: fc.boolean(),
  notNull: fc.constantFrom(undefined, ...POOL),
  withDefault: some,
  check: fc.constantFrom('none', 'plain', 'no inherit', 'not valid'),
  isUnlogged: fc.boolean(),
});

const family = fc.record({
  name: fc.nat(20),
  types: fc.array(fc.nat(40), { minLength: POOL.length, maxLength: POOL.length }),
  value: fc.nat(20),
  members: fc.array(member, { maxLength: 5 }),
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
  readonly computed: Map<string, number>;
  shared: Member['shared'];
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
    const made = birth(each, nameOf(name + i, `family ${i}`), agreeing(wanted), pool);
    tables.push(made.table);
    script.push(...made.script);
    members.slice(0, i + 1).forEach((grown, place) => {
      if (Math.max(place, Math.min(grown.growsAfter, members.length - 1)) !== i) return;
      script.push(...growth(grown, tables[place], tables, pool));
    });
  });
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

/** PostgreSQL makes no table under two parents that compute a column differently. */
function agreeing(parents: readonly Growing[]): readonly Growing[] {
  const [first] = parents.filter((parent) => parent.shared !== undefined);
  return parents.filter((parent) => parent.shared === undefined || parent.shared === first.shared);
}

function defineShared(kind: Member['shared'], pool: readonly Column[]): string {
  const value =
    kind === undefined || kind === 'plain' ? '' : ` GENERATED ALWAYS AS (${pool[kind].name} IS NULL) STORED`;
  return `"shared" boolean${value}`;
}

function columnsOf({ columns }: Growing, pool: readonly Column[]): Column[] {
  return pool.filter((_column, i) => columns.has(i));
}

function birth(
  { way, columns, order, isUnlogged, source, shared: wantedShared }: Member,
  name: string,
  parents: readonly Growing[],
  pool: readonly Column[],
): { readonly table: Growing; readonly script: string[] } {
  const inherited = new Set(parents.flatMap((parent) => [...parent.columns]));
  const adopts = way === 'adopts' && parents.length > 0;
  const own = order.filter((i) => columns.includes(i) || (adopts && inherited.has(i)));
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
  const inheritedShared = parents.find((parent) => parent.shared !== undefined)?.shared;
  const table: Growing = { name, parents, columns: known, computed, shared: inheritedShared };
  const declaresShared = inheritedShared === undefined ? mayHave(table, wantedShared) : adopts;
  if (inheritedShared === undefined && declaresShared) table.shared = wantedShared;
  const lines = [
    ...(adopts ? [...computed.keys()] : ownComputed.map(([definition]) => definition)),
    ...own.map((i) => `${pool[i].name} ${pool[i].type.sql}`),
  ];
  // Now before the column that it is computed from, now after it.
  if (declaresShared) lines.splice(order[0], 0, defineShared(table.shared, pool));
  const create = `CREATE ${isUnlogged ? 'UNLOGGED ' : ''}TABLE ${name} (${lines.join(', ')})`;
  const names = parents.map((parent) => parent.name);
  return {
    table,
    script: adopts
      ? [`${create};`, ...names.map((parent) => `ALTER TABLE ${name} INHERIT ${parent};`)]
      : [`${create}${names.length > 0 ? ` INHERITS (${names.join(', ')})` : ''};`],
  };
}

function mayHave({ columns }: Growing, kind: Member['shared']): boolean {
  return kind === 'plain' || (kind !== undefined && columns.has(kind));
}

function growth(
  { later, laterShared, dropped, comesBack }: Member,
  table: Growing,
  tables: readonly Growing[],
  pool: readonly Column[],
): string[] {
  const added = later.filter((i) => !table.columns.has(i));
  const heirs = tables.filter((other) => other === table || descends(other, table));
  added.forEach((i) => heirs.forEach((heir) => heir.columns.add(i)));
  const addsShared = table.shared === undefined && mayHave(table, laterShared);
  // A child keeps its own, which may be of another kind.
  if (addsShared) heirs.forEach((heir) => (heir.shared ??= laterShared));
  const [parent] = table.parents;
  return [
    ...added.map((i) => `ALTER TABLE ${table.name} ADD COLUMN ${pool[i].name} ${pool[i].type.sql};`),
    ...(addsShared ? [`ALTER TABLE ${table.name} ADD COLUMN ${defineShared(laterShared, pool)};`] : []),
    ...drop(dropped, table, heirs, pool),
    ...(comesBack && parent !== undefined
      ? [
          `DO $do$ BEGIN ALTER TABLE ${table.name} NO INHERIT ${parent.name}; ALTER TABLE ${table.name} INHERIT ${parent.name};
            EXCEPTION WHEN datatype_mismatch OR invalid_column_definition THEN NULL; END $do$;`,
        ]
      : []),
  ];
}

/** Only what it did not inherit. Its children keep theirs. */
function drop(
  column: number | undefined,
  table: Growing,
  heirs: readonly Growing[],
  pool: readonly Column[],
): string[] {
  if (column === undefined || !table.columns.has(column) || table.parents.length > 0) return [];
  if ([...table.computed.values(), table.shared].includes(column)) return [];
  table.columns.delete(column);
  return [`ALTER TABLE ${heirs.length > 1 ? 'ONLY ' : ''}${table.name} DROP COLUMN ${pool[column].name};`];
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
