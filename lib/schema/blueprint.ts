import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, inSchema, rows } from './catalog';
import { structureFingerprint } from './fingerprint';
import { SchemaMentions } from './mentions';
import { readObjects } from './objects';
import { readComments } from './read/comments';
import { readEnums } from './read/enums';
import { readFunctions } from './read/functions';
import { readIndexes } from './read/indexes';
import { readSequencePositions, readSequences, sequenceSteps } from './read/sequences';
import type { SchemaSource } from './read/source';
import { readTableRows } from './read/table-rows';
import { readTables } from './read/tables';
import { readTriggers } from './read/triggers';
import { readViews } from './read/views';
import { type Obstacle, SchemaNotCloneableError } from './schema.errors';
import { orderSteps, Phase, type Step } from './steps';
import { readStructure } from './structure';
import { findUnsupported } from './unsupported';

/** A schema as the DDL that makes another one like it. No statement names a schema of its own. */
export interface Blueprint {
  /** The schema that it was compiled from. */
  readonly schemaName: string;
  /** Of that schema's structure: see `fingerprintSchema`. */
  readonly fingerprint: string;
  /** In an order that works, each without a semicolon at its end. */
  readonly statements: readonly string[];
}

/**
 * The blueprint of a schema. Rows are left out, except those of TypeORM's `typeorm_metadata`.
 *
 * Needs a transaction of the caller's, who also keeps the schema from being changed meanwhile: what PostgreSQL prints
 * does not follow the transaction's snapshot. Settings are put back.
 *
 * @throws SchemaNotCloneableError naming every object that a clone would lack or get wrong
 * @throws SchemaNotFoundError, TransactionRequiredError
 */
export function compileBlueprint(executor: SqlExecutor, schemaName: string): Promise<Blueprint> {
  return inSchema(executor, schemaName, async (schema) => {
    refuse(schema, await findUnsupported(executor, schema));
    const source = { executor, schema, objects: await readObjects(executor, schema) };
    const { steps, obstacles } = await readSteps(source);
    refuse(schema, [...obstacles, ...(await findMentions(source, steps))]);
    return {
      schemaName,
      fingerprint: structureFingerprint(await readStructure(executor, schema)),
      statements: orderSteps(schemaName, steps, source.objects).flatMap(({ statements }) => statements),
    };
  });
}

function refuse({ name }: CatalogSchema, obstacles: readonly Obstacle[]): void {
  if (obstacles.length > 0) throw new SchemaNotCloneableError(name, obstacles);
}

/** One after the other: they share one connection. */
async function readSteps(source: SchemaSource): Promise<{ steps: Step[]; obstacles: Obstacle[] }> {
  const sequences = await readSequences(source);
  const tableRows = await readTableRows(source);
  const steps = [
    ...(await readEnums(source)),
    ...sequenceSteps(sequences),
    ...(await readFunctions(source)),
    ...(await readTables(source, sequences)),
    ...(await readIndexes(source)),
    ...(await readViews(source)),
    ...(await readTriggers(source)),
    ...(await readSequencePositions(source, sequences)),
    ...(await readComments(source)),
    ...tableRows.steps,
  ];
  return { steps, obstacles: tableRows.obstacles };
}

/** Comments may name the schema: nothing runs them. */
async function findMentions(
  { executor, schema, objects }: SchemaSource,
  steps: readonly Step[],
): Promise<Obstacle[]> {
  const names = await rows<{ name: string }>(
    executor,
    `SELECT relname AS name FROM pg_class WHERE oid = ANY ($1::oid[])
     UNION SELECT typname FROM pg_type WHERE oid = ANY ($2::oid[])
     UNION SELECT proname FROM pg_proc WHERE oid = ANY ($3::oid[])`,
    [objects.oidsOf('pg_class'), objects.oidsOf('pg_type'), objects.oidsOf('pg_proc')],
  );
  const mentions = new SchemaMentions(schema.name, new Set(names.map(({ name }) => name)));
  return steps
    .filter(({ phase }) => phase !== Phase.Comment)
    .flatMap(({ label, statements }) => {
      const mention = statements
        .map((statement) => mentions.in(statement))
        .find((found) => found !== undefined);
      if (mention === undefined) return [];
      return [
        {
          object: label,
          remedy:
            `it names the schema (${mention.slice(0, 80)}), so every clone would use this schema instead of its own. ` +
            'Leave the schema out: the search path finds the tenant’s own objects.',
        },
      ];
    });
}
