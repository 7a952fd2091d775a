import fc from 'fast-check';
import { checkOf, type Functions } from './functions';
import {
  asOwner,
  insertInto,
  isNot,
  joined,
  nameOf,
  namesOf,
  type Part,
  pick,
  type Relation,
  rowsOf,
  type Drawn,
} from './vocabulary';

const view = fc.record({
  kind: fc.constantFrom('plain', 'checked', 'whole', 'grouped', 'function', 'materialized', 'materialized'),
  name: fc.nat(20),
  over: fc.nat(20),
  option: fc.constantFrom(
    '',
    'security_barrier',
    'security_invoker',
    'security_barrier = true, security_invoker = true',
  ),
  check: fc.constantFrom('LOCAL', 'CASCADED'),
  withData: fc.boolean(),
  withIndex: fc.boolean(),
  withTrigger: fc.constantFrom('none', 'none', 'trigger', 'rule', 'default'),
  value: fc.nat(20),
});

type RandomView = Drawn<typeof view>;

export const randomViews = fc.array(view, { maxLength: 5 });

/** Views over tables and over one another. */
export function buildViews(
  views: readonly RandomView[],
  tables: readonly Relation[],
  functions: Functions,
): Part & { readonly relations: readonly Relation[] } {
  const relations: Relation[] = [];
  const parts = views.map((each, index) => {
    const over = pick([...tables, ...relations], each.over);
    const name = nameOf(each.name, `view ${index}`);
    const made =
      each.kind === 'materialized'
        ? materialized(each, index, name, over)
        : plain(each, index, name, over, functions);
    relations.push(made.relation);
    return made;
  });
  return { ...joined(parts), relations };
}

type Made = Part & { readonly relation: Relation };

function materialized(
  { withData, withIndex }: RandomView,
  index: number,
  name: string,
  over: Relation,
): Made {
  const isPopulated = withData && over.isPopulated;
  return {
    relation: { ...over, name, isKeyed: false, isPopulated, kind: 'materialized view' },
    script: [
      // Rows even where there are none below.
      `CREATE MATERIALIZED VIEW ${name} AS SELECT g AS one_of_${index}, row_number() OVER (ORDER BY g, t::text) AS place_${index}, t.*
        FROM generate_series(1, 2) AS g LEFT JOIN ${over.name} AS t ON true WITH ${isPopulated ? '' : 'NO '}DATA;`,
      ...(withIndex ? [`CREATE UNIQUE INDEX ON ${name} (place_${index}) INCLUDE (one_of_${index});`] : []),
      `CREATE INDEX ON ${name} (one_of_${index}) WHERE place_${index} > 1;`,
    ],
    trials: [
      rowsOf(name),
      ...asOwner(
        `REFRESH MATERIALIZED VIEW CONCURRENTLY ${name} WITH DATA`,
        `REFRESH MATERIALIZED VIEW ${name}`,
        rowsOf(name),
        `REFRESH MATERIALIZED VIEW ${name} WITH NO DATA`,
      ),
    ],
  };
}

function plain(each: RandomView, index: number, name: string, over: Relation, functions: Functions): Made {
  const query = queryOf(each, index, over, functions);
  const isChecked = each.kind === 'checked' && over.columns.length > 0 && over.kind !== 'materialized view';
  const options = each.option === '' ? '' : ` WITH (${each.option})`;
  const columns = query.isWhole ? over.columns : [];
  const relation: Relation = { ...over, name, columns, isKeyed: false, kind: 'view' };
  return {
    relation,
    script: [
      `CREATE VIEW ${name}${options} AS ${query.sql}${isChecked ? ` WITH ${each.check} CHECK OPTION` : ''};`,
      ...writing(each, relation),
    ],
    trials: [
      ...[0, 1, 2].map((shift) => insertInto(relation, shift)),
      rowsOf(name),
      ...(columns.length > 0 ? [`DELETE FROM ${name} WHERE ${columns[0].name} IS NULL`] : []),
    ],
  };
}

function queryOf(
  { kind, value }: RandomView,
  index: number,
  over: Relation,
  functions: Functions,
): { readonly sql: string; /** That it has the columns of what it reads. */ readonly isWhole: boolean } {
  const column = over.columns.length > 0 ? pick(over.columns, value) : undefined;
  const from = `FROM ${over.name} AS t`;
  if (column === undefined) return { sql: `SELECT t.* ${from}`, isWhole: false };
  switch (kind) {
    case 'whole':
      return { sql: `SELECT t AS whole_${index}, ${value} AS "N n ${index}", t.* ${from}`, isWhole: true };
    case 'grouped':
      return {
        sql: `SELECT t.${column.name} AS by_this, count(*) AS n, array_agg(DISTINCT t::text) AS "all" ${from} GROUP BY 1 HAVING count(*) > 0`,
        isWhole: false,
      };
    case 'function': {
      const firm = functions.filter(({ isFirm }) => isFirm);
      const fine = checkOf(firm, column.type, value, `t.${column.name}`) ?? `t.${column.name} IS NULL`;
      return { sql: `SELECT t.*, ${fine} AS is_fine_${index} ${from}`, isWhole: true };
    }
    default:
      return {
        sql: `SELECT ${namesOf(over.columns)} ${from} WHERE ${isNot(column.name, column.type, column.type.values[0])}`,
        isWhole: true,
      };
  }
}

function writing({ withTrigger, name, value }: RandomView, view: Relation): string[] {
  const own = nameOf(name, 'of view');
  switch (withTrigger) {
    case 'trigger':
      return [
        `CREATE TRIGGER ${own} INSTEAD OF INSERT OR DELETE ON ${view.name} FOR EACH ROW EXECUTE FUNCTION note('view');`,
      ];
    case 'rule':
      return [
        `CREATE RULE ${own} AS ON INSERT TO ${view.name} DO INSTEAD INSERT INTO log VALUES ('${value}');`,
      ];
    case 'default': {
      const [column] = view.columns;
      return column === undefined
        ? []
        : [`ALTER VIEW ${view.name} ALTER ${column.name} SET DEFAULT ${pick(column.type.values, value)};`];
    }
    default:
      return [];
  }
}
