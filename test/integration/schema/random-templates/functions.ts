import fc from 'fast-check';
import {
  type ColumnType,
  isNot,
  joined,
  nameOf,
  pick,
  type Part,
  type Relation,
  insertInto,
  rowsOf,
  type Drawn,
} from './vocabulary';

const routine = fc.record({
  purpose: fc.constantFrom('check', 'default'),
  /** Few names, so that functions for several types share one. */
  name: fc.nat(2),
  type: fc.nat(20),
  form: fc.constantFrom('return', 'atomic', 'text', 'plpgsql', 'plpgsql apart'),
  options: fc.constantFrom('', 'STRICT', 'SECURITY DEFINER', 'PARALLEL SAFE COST 7'),
  more: fc.boolean(),
  value: fc.nat(20),
});

type RandomFunction = Drawn<typeof routine>;

export const randomFunctions = fc.array(routine, { maxLength: 4 });

interface Callable {
  readonly purpose: RandomFunction['purpose'];
  readonly name: string;
  readonly type: ColumnType;
  /** That it runs on whatever search path: PostgreSQL fills materialized views and indexes on one of its own. */
  readonly isFirm: boolean;
}

export type Functions = readonly Callable[];

/** Functions of one type each, for checks and defaults. */
export function buildFunctions(
  wanted: readonly RandomFunction[],
  types: readonly ColumnType[],
  generation: string,
): Part & { readonly functions: Functions } {
  const script: string[] = [];
  const functions: Callable[] = [];
  wanted.forEach((each, index) => {
    const type = pick(types, each.type);
    const name = nameOf(
      each.name,
      each.purpose === 'check' ? `fine ${generation}` : `made ${generation}${index}`,
    );
    if (functions.some((other) => other.name === name && other.type.sql === type.sql)) return;
    script.push(createFunction(each, name, type));
    functions.push({ purpose: each.purpose, name, type, isFirm: /return|atomic/.test(each.form) });
  });
  return {
    script,
    trials: functions.flatMap(({ purpose, name, type }) =>
      purpose === 'check' ? [`SELECT ${name}(CAST(${type.values[0]} AS ${type.sql}))`] : [`SELECT ${name}()`],
    ),
    functions,
  };
}

function createFunction(each: RandomFunction, name: string, type: ColumnType): string {
  const isCheck = each.purpose === 'check';
  const more = each.more || !isCheck ? `more integer DEFAULT ${each.value}` : '';
  const args = [isCheck ? `value ${type.sql}` : '', more].filter(Boolean).join(', ');
  const result = isCheck
    ? `${isNot('value', type, pick(type.values, each.value))}${more && ' OR more = 3'}`
    : `CAST(${pick(type.values, each.value)} AS ${type.sql})`;
  const returns = isCheck ? 'boolean' : type.sql;
  return `CREATE FUNCTION ${name}(${args}) RETURNS ${returns} IMMUTABLE ${each.options} ${BODIES[each.form](result)};`;
}

const BODIES: Readonly<Record<RandomFunction['form'], (result: string) => string>> = {
  return: (result) => `LANGUAGE sql RETURN ${result}`,
  atomic: (result) => `LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT ${result}; END`,
  text: (result) => `LANGUAGE sql AS $body$ SELECT ${result} $body$`,
  plpgsql: (result) => `LANGUAGE plpgsql AS $body$ BEGIN RETURN ${result}; END $body$`,
  'plpgsql apart': (result) =>
    `LANGUAGE plpgsql SET search_path = pg_catalog, "Not There" AS $body$ BEGIN RETURN ${result}; END $body$`,
};

/** A call that tells whether the value of that type is fine, if there is a function for it. */
export function checkOf(
  functions: Functions,
  type: ColumnType,
  number: number,
  value: string,
): string | undefined {
  return callOf(functions, 'check', type, number, value);
}

/** A call that makes a value of that type, if there is a function for it. */
export function defaultOf(functions: Functions, type: ColumnType, number: number): string | undefined {
  return callOf(functions, 'default', type, number, '');
}

function callOf(
  functions: Functions,
  purpose: Callable['purpose'],
  type: ColumnType,
  number: number,
  argument: string,
): string | undefined {
  const fitting = functions.filter((each) => each.purpose === purpose && each.type.sql === type.sql);
  return fitting.length === 0 ? undefined : `${pick(fitting, number).name}(${argument})`;
}

export const randomRoutines = fc.array(
  fc.record({
    kind: fc.constantFrom('of row', 'all rows', 'procedure', 'procedure in plpgsql', 'aggregate'),
    name: fc.nat(20),
    over: fc.nat(20),
    atomic: fc.boolean(),
  }),
  { maxLength: 4 },
);

/** Routines over relations, and an aggregate. */
export function buildRoutines(
  wanted: readonly { kind: string; name: number; over: number; atomic: boolean }[],
  relations: readonly Relation[],
): Part {
  const parts = wanted.map(({ kind, name, over, atomic }, index): Part => {
    const routineName = nameOf(name, `routine ${index}`);
    const relation = pick(relations, over);
    const body = (sql: string) => (atomic ? `BEGIN ATOMIC ${sql}; END` : `AS $body$ ${sql} $body$`);
    if (kind === 'of row')
      return {
        script: [
          `CREATE FUNCTION ${routineName}(r ${relation.name}) RETURNS text LANGUAGE sql STABLE ${body('SELECT (r)::text')};`,
        ],
        trials: [`SELECT ${routineName}(t) AS told FROM ${relation.name} AS t ORDER BY told`],
      };
    if (kind === 'all rows')
      return {
        script: [
          `CREATE FUNCTION ${routineName}(VARIADIC integer[] DEFAULT '{}') RETURNS SETOF ${relation.name} LANGUAGE sql STABLE ROWS 7 ` +
            `${body(`SELECT * FROM ${relation.name}`)};`,
        ],
        trials: [rowsOf(`${routineName}(1, 2)`)],
      };
    if (kind === 'aggregate')
      return {
        script: [
          `CREATE FUNCTION ${routineName}(text, text) RETURNS text LANGUAGE sql IMMUTABLE ${body(`SELECT concat($1, ':', $2)`)};`,
          `CREATE AGGREGATE ${routineName}(text) (SFUNC = ${routineName}, STYPE = text, INITCOND = 'it''s \\');`,
        ],
        trials: [`SELECT ${routineName}(t::text ORDER BY t::text) FROM ${relation.name} AS t`],
      };
    // Not every view can be inserted into, which PostgreSQL finds out when it makes the procedure.
    const statement = insertInto(
      pick(
        relations.filter((each) => each.kind === 'table'),
        over,
      ),
      1,
    );
    return {
      script: [
        kind === 'procedure'
          ? `CREATE PROCEDURE ${routineName}() LANGUAGE sql ${body(statement)};`
          : `CREATE PROCEDURE ${routineName}(INOUT n integer DEFAULT 4) LANGUAGE plpgsql AS $body$ BEGIN ${statement}; n := n + 1; END $body$;`,
      ],
      trials: [`CALL ${routineName}()`],
    };
  });
  return joined(parts);
}
