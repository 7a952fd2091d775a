import { withoutOwnName } from './own-name';
import { SchemaNotCloneableError } from './schema.errors';
import type { ObjectKey, SchemaObjects } from './objects';

/** The kinds of steps, in the order in which they run when no dependency requires another one. */
export enum Phase {
  /**
   * Casts and operator classes come first, right after what they are made of. An expression that needs one (`::`, ORDER
   * BY, GROUP BY) has only the function or operator behind it as a dependency in pg_depend.
   */
  Cast,
  OperatorClass,
  Type,
  Sequence,
  Function,
  Operator,
  Table,
  /** Children and partitions are attached when all tables exist, and before anything that must reach both. */
  Attachment,
  Rows,
  Default,
  Constraint,
  Index,
  IndexAttachment,
  Statistics,
  View,
  ForeignKey,
  Rule,
  Trigger,
  SequenceState,
  /** Replica identity, CLUSTER, statistics targets of indexes, and states of triggers of partitions. */
  Attribute,
  Policy,
  /** Fills materialized views. Their queries may call any function and read any table. */
  Refresh,
  Publication,
  Comment,
  /** Last, because grants may take rights from the owner that earlier steps need. */
  Grant,
}

/** One object to make, with the statements that make it. */
export interface Step {
  readonly phase: Phase;
  /** Kind and name, for errors: `table orders`. */
  readonly label: string;
  /** The catalog objects that these statements make. Their parts need not be listed. */
  readonly creates: readonly ObjectKey[];
  /** Orders the steps of one phase: objects that PostgreSQL handles by order of creation are made in that order. */
  readonly age?: number;
  /** What must exist first, beside its dependencies. */
  readonly after?: readonly ObjectKey[];
  readonly statements: readonly string[];
  /** Whether they name the schema that is read on purpose, to take from it what must be as new as the clone. */
  readonly readsSource?: boolean;
}

/** The step for any schema: the name of the schema that it was read from is taken out. */
export function stepWithoutOwnName(step: Step, schemaName: string): Step {
  if (step.readsSource) return step;
  return { ...step, statements: step.statements.map((statement) => withoutOwnName(statement, schemaName)) };
}

/**
 * Sorted by phase, age and name, except that a step's dependencies come before it.
 *
 * @throws SchemaNotCloneableError when steps depend on each other in a cycle
 */
export function orderSteps(schemaName: string, steps: readonly Step[], objects: SchemaObjects): Step[] {
  const needs = needsOf(steps, objects);
  const ordered = new Set<Step>();
  const open: Step[] = [];
  const visit = (step: Step) => {
    if (ordered.has(step)) return;
    if (open.includes(step)) throw cycleError(schemaName, open.slice(open.indexOf(step)));
    open.push(step);
    inPhaseOrder(needs.get(step) ?? []).forEach(visit);
    open.pop();
    ordered.add(step);
  };
  inPhaseOrder(steps).forEach(visit);
  return [...ordered];
}

function needsOf(steps: readonly Step[], objects: SchemaObjects): Map<Step, Set<Step>> {
  const creators = new Map(steps.flatMap((step) => step.creates.map((key) => [key, step] as const)));
  const creatorOf = (key: ObjectKey | undefined): Step | undefined =>
    key === undefined ? undefined : (creators.get(key) ?? creatorOf(objects.ownerOf(key)));
  const needs = new Map(
    steps.map((step) => [step, new Set((step.after ?? []).flatMap((key) => creatorOf(key) ?? []))] as const),
  );
  for (const key of objects.keys()) {
    const step = creatorOf(key);
    // A sequence depends on the column that owns it, but is made before the table, because the column's default calls
    // it.
    if (!step || step.phase === Phase.Sequence) continue;
    const found = needs.get(step) ?? new Set();
    for (const reference of objects.referencesOf(key)) {
      const needed = creatorOf(reference);
      if (needed && needed !== step) found.add(needed);
    }
    needs.set(step, found);
  }
  return needs;
}

function inPhaseOrder(steps: Iterable<Step>): Step[] {
  return [...steps].sort(
    (a, b) =>
      a.phase - b.phase ||
      (a.age ?? 0) - (b.age ?? 0) ||
      (a.label < b.label ? -1 : a.label > b.label ? 1 : 0),
  );
}

function cycleError(schemaName: string, cycle: readonly Step[]): SchemaNotCloneableError {
  const names = cycle.map(({ label }) => label);
  return new SchemaNotCloneableError(schemaName, [
    {
      object: names[0],
      remedy: `it is part of a cycle (${[...names, names[0]].join(' needs ')}), so no order of creation works. Break the cycle.`,
    },
  ]);
}
