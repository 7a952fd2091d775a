import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { rows } from '../catalog';
import { objectName } from '../object-name';
import { Phase, type Step } from '../clone-order';
import { splitNameList } from './name-list';
import type { SchemaSource } from './source';

interface FunctionRow {
  readonly oid: number;
  readonly name: string;
  readonly kind: 'FUNCTION' | 'PROCEDURE';
  readonly signature: string;
  readonly arguments: string;
  readonly result: string | null;
  readonly language: string;
  readonly volatility: string;
  readonly parallel: string;
  readonly strict: boolean;
  readonly securityDefiner: boolean;
  readonly leakproof: boolean;
  readonly cost: string;
  readonly resultRows: string | null;
  /** The planner's support function, which is written in C. */
  readonly support: string | null;
  readonly transformed: string[];
  readonly parameters: string[];
  readonly source: string;
  /** `BEGIN ATOMIC …` or `RETURN …`, instead of `source`. */
  readonly standardBody: string | null;
}

/** Built from the catalog's columns, because `pg_get_functiondef` always qualifies the function's own name. */
export async function readFunctions({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<FunctionRow>(
    executor,
    `SELECT p.oid, p.proname AS name, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind,
            pg_get_function_identity_arguments(p.oid) AS signature, pg_get_function_arguments(p.oid) AS arguments,
            pg_get_function_result(p.oid) AS result, quote_ident(l.lanname) AS language,
            CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END AS volatility,
            CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END AS parallel,
            p.proisstrict AS strict, p.prosecdef AS "securityDefiner", p.proleakproof AS leakproof,
            p.procost::text AS cost, CASE WHEN p.proretset THEN p.prorows::text END AS "resultRows",
            ${objectName('pg_proc', 'p.prosupport')} AS support,
            ARRAY(SELECT format_type(type, NULL) FROM unnest(p.protrftypes) AS type) AS transformed,
            coalesce(p.proconfig, '{}') AS parameters, p.prosrc AS source, pg_get_function_sqlbody(p.oid) AS "standardBody"
     FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
     WHERE p.oid = ANY ($1::oid[]) AND p.prokind IN ('f', 'p')`,
    [objects.oidsOf('pg_proc')],
  );
  // The constructors of ranges come with the range type.
  return found
    .filter(({ oid }) => objects.ownerOf(`pg_proc:${oid}`) === undefined)
    .map((row) => ({
      phase: Phase.Function,
      label: `${row.kind.toLowerCase()} ${row.name}(${row.signature})`,
      creates: [`pg_proc:${row.oid}`],
      statements: callsItself(objects, row)
        ? [createFunction({ ...row, standardBody: null }), createFunction(row, 'CREATE OR REPLACE')]
        : [createFunction(row)],
    }));
}

/**
 * Whether the function calls itself. A standard body is parsed when the function is made, so the function must exist by
 * then: it is first made with a text as its body.
 */
function callsItself(objects: SchemaSource['objects'], { oid }: FunctionRow): boolean {
  const key = `pg_proc:${oid}`;
  return objects.referencesOf(key).includes(key);
}

function createFunction(row: FunctionRow, create = 'CREATE'): string {
  return [
    `${create} ${row.kind} ${quoteIdentifier(row.name)}(${row.arguments})`,
    row.result !== null && `RETURNS ${row.result}`,
    `LANGUAGE ${row.language}`,
    row.transformed.length > 0 && `TRANSFORM ${row.transformed.map((type) => `FOR TYPE ${type}`).join(', ')}`,
    ...(row.kind === 'FUNCTION' ? planning(row) : []),
    row.securityDefiner && 'SECURITY DEFINER',
    ...row.parameters.map(setClause),
    row.standardBody ?? `AS ${quoteLiteral(row.source)}`,
  ]
    .filter(Boolean)
    .join(' ');
}

/** The clauses that a procedure cannot have. */
function planning(row: FunctionRow): (string | false)[] {
  return [
    row.volatility,
    row.leakproof && 'LEAKPROOF',
    row.strict && 'STRICT',
    `PARALLEL ${row.parallel}`,
    `COST ${row.cost}`,
    row.resultRows !== null && `ROWS ${row.resultRows}`,
    row.support !== null && `SUPPORT ${row.support}`,
  ];
}

/** Parameters whose value is a list of names. Quoted as one string, the list would be a single name. */
const NAME_LISTS: ReadonlySet<string> = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'temp_tablespaces',
]);

/** `search_path="a b", c` becomes `SET "search_path" TO 'a b', 'c'`. */
function setClause(setting: string): string {
  const [, name, value] = /^([^=]*)=(.*)$/s.exec(setting) as RegExpExecArray;
  const values = NAME_LISTS.has(name.toLowerCase()) ? splitNameList(value) : [value];
  const setName = name.split('.').map(quoteIdentifier).join('.');
  return `SET ${setName} TO ${values.length === 0 ? "''" : values.map(quoteLiteral).join(', ')}`;
}
