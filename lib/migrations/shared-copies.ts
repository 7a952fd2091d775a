import type { QueryRunner } from 'typeorm';
import { messageOf } from '../common/error-message';
import { quoteIdentifier } from '../common/sql';
import { type Blueprint, compileBlueprint } from '../schema/blueprint';
import { replayBlueprint } from '../schema/clone';
import { generateSchemaName } from '../registry/schema-name';

/**
 * Replaces each shared schema by an empty copy under its name, in a transaction that will be rolled back. Statements
 * then lock no table that tenants use, and find the objects that they expect. The schemas themselves get other names,
 * which other sessions do not see. A shared schema that does not exist is made.
 *
 * @returns by schema, why it could not be copied; such a schema is unchanged
 */
export async function replaceByCopies(
  session: QueryRunner,
  schemaNames: readonly string[],
  sharedSchemas: readonly string[],
): Promise<Map<string, string>> {
  const obstacles = new Map<string, string>();
  const attempt = async (schemaName: string, work: () => Promise<void>) => {
    await session.query('SAVEPOINT copies');
    await work().catch(async (error: unknown) => {
      await session.query('ROLLBACK TO SAVEPOINT copies');
      obstacles.set(schemaName, messageOf(error));
    });
  };
  const blueprints = new Map<string, Blueprint>();
  // All are compiled before any is renamed, because they may refer to each other.
  for (const name of schemaNames) {
    await attempt(name, async () => {
      if (await session.hasSchema(name))
        blueprints.set(name, await compileBlueprint(session, name, { filled: 'all', sharedSchemas }));
    });
  }
  for (const name of schemaNames.filter((each) => !obstacles.has(each))) {
    await attempt(name, () => replace(session, name, blueprints.get(name)));
  }
  return obstacles;
}

async function replace(session: QueryRunner, name: string, blueprint: Blueprint | undefined): Promise<void> {
  const schema = quoteIdentifier(name);
  if (!blueprint) {
    await session.query(`CREATE SCHEMA ${schema}`);
    return;
  }
  await session.query(`ALTER SCHEMA ${schema} RENAME TO ${quoteIdentifier(generateSchemaName())}`);
  await replayBlueprint(session, blueprint, name);
}
