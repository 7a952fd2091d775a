import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../steps';
import { type Column, columnDefinition, readColumns } from './columns';
import {
  type Constraint,
  constraintStep,
  indexOptionStatements,
  inlineConstraints,
  readConstraints,
} from './constraints';
import type { Sequence } from './sequences';
import type { SchemaSource } from './source';
import { storageOptions } from './storage-options';

interface Relation {
  readonly oid: number;
  readonly name: string;
  readonly kind: 'r' | 'v';
  readonly unlogged: boolean;
  readonly options: string | null;
}

/** Tables with all that belongs to them except indexes and triggers, and the defaults of views' columns. */
export async function readTables(source: SchemaSource, sequences: readonly Sequence[]): Promise<Step[]> {
  const relations = await readRelations(source);
  const columns = await readColumns(source);
  const constraints = await readConstraints(source);
  const inline = new Set(inlineConstraints(source, constraints));
  const columnsOf = groupByTable(columns);
  const inlineOf = groupByTable([...inline]);
  const identities = new Map(
    sequences
      .filter(({ identity }) => identity)
      .map((sequence) => [`${sequence.tableOid}.${sequence.columnNumber}`, sequence]),
  );
  return [
    ...relations
      .filter(({ kind }) => kind === 'r')
      .map((table) =>
        tableStep(source, table, columnsOf.get(table.oid) ?? [], inlineOf.get(table.oid) ?? [], identities),
      ),
    ...relations.flatMap((relation) => lateDefaults(source, relation, columnsOf.get(relation.oid) ?? [])),
    ...constraints.filter((constraint) => !inline.has(constraint)).map(constraintStep),
  ];
}

function readRelations({ executor, objects }: SchemaSource): Promise<Relation[]> {
  return rows(
    executor,
    `SELECT c.oid, c.relname AS name, c.relkind AS kind, c.relpersistence = 'u' AS unlogged,
            concat_ws(', ', ${storageOptions('c.reloptions')}, ${storageOptions('toast.reloptions', 'toast.')}) AS options
     FROM pg_class c LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
     WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'v')`,
    [objects.oidsOf('pg_class')],
  );
}

function tableStep(
  { objects }: SchemaSource,
  table: Relation,
  columns: readonly Column[],
  constraints: readonly Constraint[],
  identities: ReadonlyMap<string, Sequence>,
): Step {
  const name = quoteIdentifier(table.name);
  const sequenceOf = ({ tableOid, number }: Column) => identities.get(`${tableOid}.${number}`);
  const lines = [
    ...columns.map((column) =>
      columnDefinition(column, !waitsForFunction(objects, column), sequenceOf(column)),
    ),
    ...constraints.map(
      (constraint) => `CONSTRAINT ${quoteIdentifier(constraint.name)} ${constraint.definition}`,
    ),
  ];
  const settings = columns.flatMap((column) =>
    column.settings.map((setting) => `ALTER COLUMN ${quoteIdentifier(column.name)} ${setting}`),
  );
  return {
    phase: Phase.Table,
    label: `table ${table.name}`,
    creates: [
      `pg_class:${table.oid}`,
      ...columns.map(sequenceOf).flatMap((sequence) => (sequence ? [`pg_class:${sequence.oid}`] : [])),
    ],
    statements: [
      `CREATE ${table.unlogged ? 'UNLOGGED ' : ''}TABLE ${name} (${lines.join(', ')})` +
        (table.options ? ` WITH (${table.options})` : ''),
      ...(settings.length > 0 ? [`ALTER TABLE ONLY ${name} ${settings.join(', ')}`] : []),
      ...constraints.flatMap(indexOptionStatements),
    ],
  };
}

function lateDefaults({ objects }: SchemaSource, relation: Relation, columns: readonly Column[]): Step[] {
  return columns
    .filter((column) => column.default !== null && !column.generated)
    .filter((column) => relation.kind === 'v' || waitsForFunction(objects, column))
    .map((column) => ({
      phase: relation.kind === 'v' ? Phase.Trigger : Phase.Default,
      label: `default of column ${relation.name}.${column.name}`,
      creates: [`pg_attrdef:${column.defaultOid}`],
      statements: [
        `ALTER ${relation.kind === 'v' ? 'VIEW' : 'TABLE ONLY'} ${quoteIdentifier(relation.name)} ` +
          `ALTER COLUMN ${quoteIdentifier(column.name)} SET DEFAULT ${column.default}`,
      ],
    }));
}

function waitsForFunction(objects: SchemaSource['objects'], { defaultOid, generated }: Column): boolean {
  return defaultOid !== null && !generated && objects.callsFunction(`pg_attrdef:${defaultOid}`);
}

function groupByTable<Part extends { readonly tableOid: number }>(
  parts: readonly Part[],
): Map<number, Part[]> {
  const groups = new Map<number, Part[]>();
  for (const part of parts) {
    const group = groups.get(part.tableOid);
    if (group) group.push(part);
    else groups.set(part.tableOid, [part]);
  }
  return groups;
}
