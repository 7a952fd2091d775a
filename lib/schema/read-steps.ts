import { readComments } from './read/comments';
import { readGrants } from './read/grants';
import { readIndexes } from './read/indexes';
import { readIndexAttributes } from './read/index-attributes';
import { readPopulated } from './read/materialized-views';
import { readIndexAttachments } from './read/partitions';
import { readPolicies } from './read/policies';
import { readPublications } from './read/publications';
import { readRules } from './read/rules';
import { readSchemaGrants } from './read/schema-grants';
import { readSequencePositions, readSequences, sequenceSteps } from './read/sequences';
import type { SchemaSource } from './read/source';
import { readStatistics } from './read/statistics';
import { readTableRows } from './read/table-rows';
import { readTables } from './read/tables';
import { readTriggers } from './read/triggers';
import { readTypesAndRoutines } from './read/types';
import { readViews } from './read/views';
import type { Obstacle } from './schema.errors';
import type { Step } from './clone-order';

/** The steps that make everything in the schema, in no particular order, and the rows that a clone would lack. */
export async function readSteps(
  source: SchemaSource,
  filled: readonly string[] | 'all',
): Promise<{ steps: Step[]; obstacles: Obstacle[] }> {
  // One after another, because they share one connection.
  const sequences = await readSequences(source);
  const tableRows = await readTableRows(source, filled);
  const steps = [
    ...(await readTypesAndRoutines(source)),
    ...sequenceSteps(sequences),
    ...(await readTables(source, sequences)),
    ...(await readIndexes(source)),
    ...(await readIndexAttachments(source)),
    ...(await readStatistics(source)),
    ...(await readViews(source)),
    ...(await readRules(source)),
    ...(await readTriggers(source)),
    ...(await readSequencePositions(source, sequences, filled)),
    ...(await readIndexAttributes(source)),
    ...(await readPolicies(source)),
    ...(await readPopulated(source)),
    ...(await readPublications(source)),
    ...(await readComments(source)),
    ...(await readGrants(source)),
    ...(await readSchemaGrants(source)),
    ...tableRows.steps,
  ];
  return { steps, obstacles: tableRows.obstacles };
}
