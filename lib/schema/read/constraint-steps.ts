import { quoteIdentifier } from '../../common/sql';
import type { ObjectKey } from '../objects';
import { Phase, type Step } from '../steps';
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

/** How many generations of tables stand above it. */
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
 * A check goes to the children too, where it joins one of that name; so a child's own has to be there first: those of
 * one name are one step, the youngest table's first.
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
 * A foreign key of a partitioned table gives each partition one of its name, unless the partition has one already that
 * says the same: so those of other names are made before.
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
 * The foreign keys of the tables above a partition. Each takes a key of the partition's that says the same for its own
 * part, so what the partition has besides comes later.
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

/** What a parent brings along is as valid as the parent's. */
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

/** Keys are each table's own; what a partitioned table or a parent has besides, its children have too. */
function addition(constraint: Constraint): string {
  const { tableName, type, name } = constraint;
  const only = type === 'p' || type === 'u' || type === 'x' ? 'ONLY ' : '';
  return (
    `ALTER TABLE ${only}${quoteIdentifier(tableName)} ` +
    `ADD CONSTRAINT ${quoteIdentifier(name)} ${withIndexOptions(constraint)}`
  );
}
