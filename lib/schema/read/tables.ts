import { quoteIdentifier } from '../../common/sql';
import { Phase, type Step } from '../clone-order';
import { type Column, columnDefinition, columnAlterations, readColumns } from './columns';
import { constraintSteps } from './constraint-steps';
import { type Constraint, inlineConstraints, readConstraints } from './constraints';
import { indexOptionStatements, withIndexOptions } from './index-options';
import { inheritanceSteps } from './inheritance';
import { readMaterializedViews } from './materialized-views';
import { partitionSteps } from './partitions';
import { createTable, readRelations, type Relation } from './relations';
import type { Sequence } from './sequences';
import type { SchemaSource } from './source';

/**
 * Tables with all that belongs to them except indexes and triggers; materialized views, whose columns are read in the
 * same way; and the defaults of views' columns.
 */
export async function readTables(source: SchemaSource, sequences: readonly Sequence[]): Promise<Step[]> {
  const relations = await readRelations(source);
  const columnsOf = groupByTable(await readColumns(source));
  const constraints = await readConstraints(source);
  const inline = new Set(inlineConstraints(source, constraints, relations));
  const inlineOf = groupByTable([...inline]);
  const sequenceOf = identityFinder(sequences);
  const columns = ({ oid }: Relation) => columnsOf.get(oid) ?? [];
  const late = constraints.filter((constraint) => !inline.has(constraint));
  return [
    ...relations
      .filter((relation) => isTable(relation) && !relation.inherits)
      .map((table) => tableStep(source, table, columns(table), inlineOf.get(table.oid) ?? [], sequenceOf)),
    ...inheritanceSteps(relations, columns, sequenceOf),
    ...partitionSteps(relations),
    ...relations.flatMap((relation) => lateDefaults(source, relation, columns(relation))),
    ...constraintSteps(late, relations),
    ...(await readMaterializedViews(source, relations, columnsOf)),
  ];
}

function isTable({ kind }: Relation): boolean {
  return kind === 'r' || kind === 'p';
}

function identityFinder(sequences: readonly Sequence[]): (column: Column) => Sequence | undefined {
  const identities = new Map(
    sequences
      .filter(({ identity }) => identity)
      .map((sequence) => [`${sequence.tableOid}.${sequence.columnNumber}`, sequence]),
  );
  return ({ tableOid, number }) => identities.get(`${tableOid}.${number}`);
}

function tableStep(
  { objects }: SchemaSource,
  table: Relation,
  columns: readonly Column[],
  constraints: readonly Constraint[],
  sequenceOf: (column: Column) => Sequence | undefined,
): Step {
  const lines = [
    ...columns.map((column) =>
      columnDefinition(column, !waitsForFunction(objects, column), sequenceOf(column)),
    ),
    ...constraints.map(
      (constraint) => `CONSTRAINT ${quoteIdentifier(constraint.name)} ${withIndexOptions(constraint)}`,
    ),
  ];
  return {
    phase: Phase.Table,
    label: `table ${table.name}`,
    creates: [
      `pg_class:${table.oid}`,
      ...columns.map(sequenceOf).flatMap((sequence) => (sequence ? [`pg_class:${sequence.oid}`] : [])),
    ],
    statements: [
      createTable(table, lines),
      ...(table.ofType === null
        ? []
        : [`ALTER TABLE ONLY ${quoteIdentifier(table.name)} OF ${table.ofType}`]),
      ...columnAlterations(table.name, columns),
      ...constraints.flatMap(indexOptionStatements),
    ],
  };
}

function lateDefaults({ objects }: SchemaSource, relation: Relation, columns: readonly Column[]): Step[] {
  const isView = relation.kind === 'v';
  return columns
    .filter((column) => column.default !== null && !column.generated)
    .filter((column) => isView || relation.inherits || waitsForFunction(objects, column))
    .map((column) => ({
      phase: isView ? Phase.Trigger : Phase.Default,
      label: `default of column ${relation.name}.${column.name}`,
      creates: [`pg_attrdef:${column.defaultOid}`],
      statements: [
        `ALTER ${isView ? 'VIEW' : 'TABLE ONLY'} ${quoteIdentifier(relation.name)} ` +
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
