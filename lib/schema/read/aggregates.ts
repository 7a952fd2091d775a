import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { rows } from '../catalog';
import { objectName, operatorName } from '../object-name';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface AggregateRow {
  readonly oid: number;
  readonly name: string;
  readonly arguments: string;
  readonly signature: string;
  /** The properties that are names and numbers, which need no quoting here: `SFUNC = int4pl`, … */
  readonly properties: string[];
  readonly initialValue: string | null;
  readonly movingInitialValue: string | null;
}

export async function readAggregates({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<AggregateRow>(
    executor,
    `SELECT p.oid, p.proname AS name,
            coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*') AS arguments,
            pg_get_function_identity_arguments(p.oid) AS signature,
            a.agginitval AS "initialValue", a.aggminitval AS "movingInitialValue",
            array_remove(ARRAY[
              ${functionProperty('SFUNC', 'aggtransfn')},
              'STYPE = ' || format_type(a.aggtranstype, NULL),
              CASE WHEN a.aggtransspace <> 0 THEN 'SSPACE = ' || a.aggtransspace END,
              ${functionProperty('FINALFUNC', 'aggfinalfn')},
              CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
              'FINALFUNC_MODIFY = ' || ${modification('aggfinalmodify')},
              ${functionProperty('COMBINEFUNC', 'aggcombinefn')},
              ${functionProperty('SERIALFUNC', 'aggserialfn')},
              ${functionProperty('DESERIALFUNC', 'aggdeserialfn')},
              ${functionProperty('MSFUNC', 'aggmtransfn')},
              ${functionProperty('MINVFUNC', 'aggminvtransfn')},
              CASE WHEN a.aggmtranstype <> 0 THEN 'MSTYPE = ' || format_type(a.aggmtranstype, NULL) END,
              CASE WHEN a.aggmtransspace <> 0 THEN 'MSSPACE = ' || a.aggmtransspace END,
              ${functionProperty('MFINALFUNC', 'aggmfinalfn')},
              CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
              'MFINALFUNC_MODIFY = ' || ${modification('aggmfinalmodify')},
              'SORTOP = ' || ${operatorName('a.aggsortop')},
              CASE WHEN a.aggkind = 'h' THEN 'HYPOTHETICAL' END,
              'PARALLEL = ' || CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END
            ], NULL) AS properties
     FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid WHERE p.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_proc')],
  );
  return found.map((row) => ({
    phase: Phase.Operator,
    label: `aggregate ${row.name}(${row.signature})`,
    creates: [`pg_proc:${row.oid}`],
    statements: [createAggregate(row)],
  }));
}

function createAggregate(row: AggregateRow): string {
  const initial = Object.entries({ INITCOND: row.initialValue, MINITCOND: row.movingInitialValue });
  const properties = [
    ...row.properties,
    ...initial.flatMap(([name, value]) => (value === null ? [] : [`${name} = ${quoteLiteral(value)}`])),
  ];
  return `CREATE AGGREGATE ${quoteIdentifier(row.name)}(${row.arguments}) (${properties.join(', ')})`;
}

function functionProperty(property: string, column: string): string {
  return `'${property} = ' || ${objectName('pg_proc', `a.${column}`)}`;
}

function modification(column: string): string {
  return `CASE a.${column} WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END`;
}
