import fc from 'fast-check';
import { buildFunctions, buildRoutines, randomFunctions, randomRoutines } from './functions';
import { buildFamily, randomFamily } from './inheritance';
import { buildPartitionedTable, PARTITION_BASE, randomPartitionedTables } from './partitions';
import { REACTION_BASE, READ_LOG } from './reactions';
import { buildTable, randomTables } from './tables';
import { buildTypes, randomTypes } from './types';
import { buildViews, randomViews } from './views';
import { BUILT_IN, joined, type Part, type Relation } from './vocabulary';

/** A schema that nobody thought of, and rows to try on it. */
export interface RandomTemplate {
  readonly script: string;
  /** Statements whose outcome, rows or SQLSTATE, must be the same in the template and in its clone. */
  readonly trials: readonly string[];
  /** That PostgreSQL may print some of it otherwise the second time. */
  readonly isWrittenByHand: boolean;
}

const wanted = fc.record({
  /** Most are not: for what prints otherwise a clone is verified by two more, which takes longest. */
  isWrittenByHand: fc.constantFrom(false, false, true),
  early: randomFunctions,
  types: randomTypes,
  late: randomFunctions,
  tables: randomTables,
  partitioned: randomPartitionedTables,
  family: randomFamily,
  views: randomViews,
  routines: randomRoutines,
});

/** Each kind of object may need those before it. */
export const randomTemplate: fc.Arbitrary<RandomTemplate> = wanted.map((each) => {
  const early = buildFunctions(each.early, BUILT_IN, 'early');
  const own = buildTypes(each.types, BUILT_IN, early.functions);
  const { types } = own;
  const late = buildFunctions(each.late, types, 'late');
  const functions = [...early.functions, ...late.functions];
  const relations: Relation[] = [];
  const parts: Part[] = [{ script: [...REACTION_BASE, ...PARTITION_BASE], trials: [] }, early, own, late];
  const add = (part: Part & { readonly relations: readonly Relation[] }): void => {
    parts.push(part);
    relations.push(...part.relations);
  };
  // Now a partitioned table refers to a plain one, now the other way round.
  const tables = each.tables.map(
    (table, i) => () => buildTable(table, i, types, functions, relations, each.isWrittenByHand),
  );
  const partitioned = each.partitioned.map(
    (table, i) => () => buildPartitionedTable(table, i, types, functions, relations),
  );
  for (let i = 0; i < Math.max(tables.length, partitioned.length); i++) {
    for (const build of [tables[i], partitioned[i]]) {
      if (build === undefined) continue;
      const made = build();
      add({ ...made, relations: [made.relation] });
    }
  }
  add(buildFamily(each.family, types));
  add(buildViews(each.views, relations, functions));
  parts.push(buildRoutines(each.routines, relations));
  const { script, trials } = joined(parts);
  return {
    script: script.join('\n'),
    trials: [...trials, READ_LOG],
    isWrittenByHand: each.isWrittenByHand,
  };
});
