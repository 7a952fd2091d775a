import { quoteIdentifier, quoteLiteral, type SqlExecutor } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

export interface Sequence {
  readonly oid: number;
  readonly name: string;
  readonly unlogged: boolean;
  /** `INCREMENT BY 1 MINVALUE 1 …`, without the type. */
  readonly options: string;
  readonly type: string;
  readonly start: string;
  /** The column that owns it, if any. */
  readonly tableOid: number | null;
  readonly tableName: string | null;
  readonly columnNumber: number | null;
  readonly columnName: string | null;
  /**
   * Names of the tables whose rows take numbers from it, through the column that owns it or a default. Empty when
   * PostgreSQL does not know any.
   */
  readonly takers: readonly string[];
  /**
   * Whether it is an identity column's. Then it is made with the table, of the column's type, and is logged or unlogged
   * as the table is.
   */
  readonly identity: boolean;
  /** For an identity column: whether its type was changed since, apart from the column's. */
  readonly retyped: boolean;
  /** For an identity column: whether it was set to logged or unlogged apart from its table. */
  readonly apart: boolean;
}

export function readSequences({ executor, objects }: SchemaSource): Promise<Sequence[]> {
  return rows(
    executor,
    `SELECT c.oid, c.relname AS name, c.relpersistence = 'u' AS unlogged, s.seqstart::text AS start,
            format('INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', s.seqincrement, s.seqmin,
                   s.seqmax, s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END) AS options,
            format_type(s.seqtypid, NULL) AS type, coalesce(d.deptype = 'i', false) AS identity,
            coalesce(d.deptype = 'i' AND a.atttypid <> s.seqtypid, false) AS retyped,
            coalesce(d.deptype = 'i' AND t.relpersistence <> c.relpersistence, false) AS apart,
            t.oid AS "tableOid", t.relname AS "tableName", a.attnum AS "columnNumber", a.attname AS "columnName",
            ARRAY(WITH taker AS (
                    SELECT t.oid WHERE t.oid IS NOT NULL
                    UNION SELECT f.adrelid FROM pg_depend used JOIN pg_attrdef f ON f.oid = used.objid
                    WHERE used.refclassid = 'pg_class'::regclass AND used.refobjid = c.oid
                      AND used.classid = 'pg_attrdef'::regclass)
                  SELECT relname::text FROM taker JOIN pg_class USING (oid)
                  UNION SELECT part.relname::text
                  FROM taker CROSS JOIN pg_partition_tree(taker.oid) p JOIN pg_class part ON part.oid = p.relid
                 ) AS takers
     FROM pg_class c
     JOIN pg_sequence s ON s.seqrelid = c.oid
     LEFT JOIN pg_depend d
       ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
      AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
     LEFT JOIN pg_class t ON t.oid = d.refobjid
     LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'S'`,
    [objects.oidsOf('pg_class')],
  );
}

/**
 * Serial and stand-alone sequences. Those of identity columns come with the column, so only later changes to them are
 * stated.
 */
export function sequenceSteps(sequences: readonly Sequence[]): Step[] {
  return sequences.flatMap((sequence) => (sequence.identity ? changesOf(sequence) : stepsOf(sequence)));
}

function changesOf({ name, unlogged, type, options, retyped, apart }: Sequence): Step[] {
  const changes = [
    ...(retyped ? [`AS ${type} ${options}`] : []),
    ...(apart ? [unlogged ? 'SET UNLOGGED' : 'SET LOGGED'] : []),
  ];
  if (changes.length === 0) return [];
  return [
    {
      phase: Phase.SequenceState,
      label: `sequence ${name}`,
      creates: [],
      statements: changes.map((change) => `ALTER SEQUENCE ${quoteIdentifier(name)} ${change}`),
    },
  ];
}

function stepsOf({ oid, name, unlogged, type, options, tableName, columnName }: Sequence): Step[] {
  const create = {
    phase: Phase.Sequence,
    label: `sequence ${name}`,
    creates: [`pg_class:${oid}`],
    statements: [
      `CREATE${unlogged ? ' UNLOGGED' : ''} SEQUENCE ${quoteIdentifier(name)} AS ${type} ${options}`,
    ],
  };
  if (tableName === null || columnName === null) return [create];
  const column = `${quoteIdentifier(tableName)}.${quoteIdentifier(columnName)}`;
  const own = {
    phase: Phase.SequenceState,
    label: `sequence ${name}`,
    creates: [],
    statements: [`ALTER SEQUENCE ${quoteIdentifier(name)} OWNED BY ${column}`],
  };
  return [create, own];
}

/**
 * The positions of sequences that have moved. When a migration says `setval('invoice_number_seq', 1000)`, the tenants'
 * sequences are meant, too. Where a clone copies rows, the positions that belong to these rows are read at that moment,
 * too.
 */
export async function readSequencePositions(
  { executor, schema }: SchemaSource,
  sequences: readonly Sequence[],
  filled: readonly string[] | 'all',
): Promise<Step[]> {
  // PostgreSQL does not record the sequences that a trigger uses, or a function that a default calls.
  const isRead = ({ takers }: Sequence) =>
    filled !== 'all' &&
    filled.length > 0 &&
    (takers.length === 0 || takers.some((table) => filled.includes(table)));
  const fixed = sequences.filter((sequence) => !isRead(sequence));
  return [
    ...(await readPositions(executor, fixed)).map(({ sequence, value, called }) =>
      positionStep(sequence, `SELECT ${setval(sequence, value, called)}`),
    ),
    ...sequences.filter(isRead).map((sequence) => ({
      ...positionStep(
        sequence,
        `SELECT ${setval(sequence, 'last_value', 'is_called')} FROM ${quoteIdentifier(schema.name)}.${quoteIdentifier(sequence.name)}`,
      ),
      readsSource: true,
    })),
  ];
}

interface Position {
  readonly sequence: Sequence;
  /** SQL of the number and the boolean that `setval` takes. */
  readonly value: string;
  readonly called: string;
}

/** The positions of sequences that have moved from their start. */
async function readPositions(executor: SqlExecutor, sequences: readonly Sequence[]): Promise<Position[]> {
  if (sequences.length === 0) return [];
  const positions = await rows<{ place: number; value: string; called: boolean }>(
    executor,
    sequences
      .map(
        ({ name }, place) =>
          `SELECT ${place} AS place, last_value::text AS value, is_called AS called FROM ${quoteIdentifier(name)}`,
      )
      .join(' UNION ALL '),
  );
  return positions
    .filter(({ place, value, called }) => called || value !== sequences[place].start)
    .map(({ place, value, called }) => ({ sequence: sequences[place], value, called: String(called) }));
}

function setval({ name }: Sequence, value: string, called: string): string {
  return `pg_catalog.setval(${quoteLiteral(quoteIdentifier(name))}, ${value}, ${called})`;
}

function positionStep({ name }: Sequence, statement: string): Step {
  return { phase: Phase.SequenceState, label: `sequence ${name}`, creates: [], statements: [statement] };
}
