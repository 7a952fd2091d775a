import { quoteIdentifier } from '../../common/sql';
import type { ObjectKey } from '../objects';
import { Phase, type Step } from '../clone-order';
import type { Constraint } from './constraints';
import { indexOptionStatements, withIndexOptions } from './index-options';
import { isPartitioning, type Relation } from './relations';

/** Constraints that `CREATE TABLE` cannot state. */
export function constraintSteps(constraints: readonly Constraint[], relations: readonly Relation[]): Step[] {
  const depths = new Map(relations.map((relation) => [relation.oid, depthOf(relation, relations)]));
  const parts = constraints.filter(({ parentOid }) => parentOid !== null);
  const isCheck = ({ type }: Constraint) => type === 'c' || type === 'n';
  const inFamily = new Set(
    relations.filter((table) => table.inherits || isPartitioning(table)).map(({ oid }) => oid),
  );
  const checks = constraints
    .filter(isCheck)
    .sort((one, other) => (depths.get(other.tableOid) ?? 0) - (depths.get(one.tableOid) ?? 0));
  return [
    ...checks.filter(({ tableOid }) => !inFamily.has(tableOid)).map(constraintStep),
    ...familyCheckSteps(checks.filter(({ tableOid }) => inFamily.has(tableOid))),
    ...constraints
      .filter((constraint) => !isCheck(constraint) && constraint.parentOid === null)
      .map((constraint) =>
        constraint.type === 'f'
          ? foreignKeyStep(constraint, parts, keysAbove(constraint.tableOid, constraints, relations))
          : constraintStep(constraint),
      ),
  ];
}

/** How many levels of parents the table has. */
function depthOf(table: Relation, relations: readonly Relation[]): number {
  return parentsOf(table, relations).reduce(
    (depth, parent) => Math.max(depth, 1 + depthOf(parent, relations)),
    0,
  );
}

function parentsOf({ parents }: Relation, relations: readonly Relation[]): Relation[] {
  return relations.filter(({ name }) => parents.includes(quoteIdentifier(name)));
}

/**
 * ALTER TABLE adds a check to the children too, and merges it with a child's check of the same name. The child's own
 * must exist first, so checks of one name make one step, which begins with the tables that have the most ancestors.
 */
function familyCheckSteps(youngestFirst: readonly Constraint[]): Step[] {
  const names = [...new Set(youngestFirst.map(({ name }) => name))];
  return names
    .map((wanted) => youngestFirst.filter(({ name }) => name === wanted))
    .map((sameName) => {
      const own = sameName.filter(({ local }) => local);
      return {
        phase: Phase.Constraint,
        label: `constraint ${sameName[0].name} on table ${sameName.map(({ tableName }) => tableName).join(', ')}`,
        creates: sameName.map(({ oid }) => `pg_constraint:${oid}`),
        statements: [...own.map(addition), ...validations(sameName)],
      };
    });
}

/**
 * A foreign key of a partitioned table makes one of the same name in each partition, unless the partition already has
 * an equal one. So partitions' keys with other names are made first.
 */
function foreignKeyStep(root: Constraint, parts: readonly Constraint[], after: readonly ObjectKey[]): Step {
  const additionsBelow = (parent: Constraint): string[] =>
    parts
      .filter(({ parentOid }) => parentOid === parent.oid)
      .flatMap((part) => [...additionsBelow(part), ...(part.name === parent.name ? [] : [addition(part)])]);
  return {
    ...constraintStep(root),
    after,
    creates: [root.oid, ...root.parts].map((oid) => `pg_constraint:${oid}`),
    statements: [
      ...additionsBelow(root),
      addition(root),
      ...validations(parts.filter(({ oid }) => root.parts.includes(oid))),
    ],
  };
}

/**
 * The foreign keys of the tables above a partition. PostgreSQL uses an equal key of the partition as the partition's
 * part of such a key, so the partition's other keys are made after them.
 */
function keysAbove(
  tableOid: number,
  constraints: readonly Constraint[],
  relations: readonly Relation[],
): ObjectKey[] {
  const table = relations.find(({ oid }) => oid === tableOid);
  if (!table || table.bound === null) return [];
  return parentsOf(table, relations).flatMap(({ oid }) => [
    ...constraints
      .filter((key) => key.tableOid === oid && key.type === 'f' && key.parentOid === null)
      .map((key): ObjectKey => `pg_constraint:${key.oid}`),
    ...keysAbove(oid, constraints, relations),
  ]);
}

/** A constraint that came from a parent is only as valid as the parent's, so these are validated separately. */
function validations(constraints: readonly Constraint[]): string[] {
  return constraints
    .filter(({ validated }) => validated)
    .map(
      ({ tableName, name }) =>
        `ALTER TABLE ${quoteIdentifier(tableName)} VALIDATE CONSTRAINT ${quoteIdentifier(name)}`,
    );
}

function constraintStep(constraint: Constraint): Step {
  return {
    phase: constraint.type === 'f' ? Phase.ForeignKey : Phase.Constraint,
    age: constraint.age,
    label: `constraint ${constraint.name} on table ${constraint.tableName}`,
    creates: [`pg_constraint:${constraint.oid}`],
    statements: [addition(constraint), ...indexOptionStatements(constraint)],
  };
}

/**
 * Primary keys, unique and exclusion constraints are made for one table alone; other constraints go to the children,
 * too.
 */
function addition(constraint: Constraint): string {
  const { tableName, type, name } = constraint;
  const only = type === 'p' || type === 'u' || type === 'x' ? 'ONLY ' : '';
  return (
    `ALTER TABLE ${only}${quoteIdentifier(tableName)} ` +
    `ADD CONSTRAINT ${quoteIdentifier(name)} ${withIndexOptions(constraint)}`
  );
}
