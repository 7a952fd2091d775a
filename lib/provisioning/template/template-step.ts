import type { QueryRunner } from 'typeorm';
import { remedyForPath } from '../../schema/bare-path';
import {
  HeardStatements,
  MigrationProblem,
  readPlace,
  requireNoStrays,
  requirePlace,
  runMigration,
  sharedWrites,
  transactionEnded,
} from './migration-run';
import type { NamedMigration } from './named-migrations';
import { findStrays, readOutside } from './outside-objects';
import { TemplateMigrationError } from '../provisioning-start.errors';

/**
 * Runs one migration in the template, in the caller's transaction, and checks that it has not left it.
 *
 * `suspicion`: a possible cause for a failure, in words.
 *
 * @throws TemplateMigrationError when it fails, leaves the transaction or works in another schema
 */
export async function runInTemplate(
  queryRunner: QueryRunner,
  named: NamedMigration,
  {
    schemaName,
    sharedSchemas,
    suspicion,
  }: { readonly schemaName: string; readonly sharedSchemas: readonly string[]; readonly suspicion?: string },
): Promise<void> {
  const heard = new HeardStatements();
  const place = await readPlace(queryRunner);
  const outside = await readOutside(queryRunner, schemaName);
  await runMigration(named, 'up', queryRunner, heard).catch((error: Error) => {
    const told = [
      error.message.replace(/\.?$/, '.'),
      sharedWrites(heard, sharedSchemas),
      'Nothing of it was kept; correct it and start again.',
      suspicion,
      remedyForPath(error),
    ];
    throw new TemplateMigrationError(named.name, told.filter(Boolean).join(' '), { cause: error });
  });
  const hasEnded = !queryRunner.isTransactionActive;
  const found = await readPlace(queryRunner);
  try {
    if (hasEnded) throw transactionEnded();
    requirePlace(place, found, heard);
    const written = sharedWrites(heard, sharedSchemas);
    if (written !== undefined) throw new MigrationProblem(written);
    requireNoStrays(await findStrays(queryRunner, schemaName, outside), schemaName, heard);
  } catch (error) {
    const { message } = error as Error;
    const isKept = hasEnded || found.transaction !== place.transaction;
    const kept = ` What it committed is in the schema "${schemaName}" now: undo it there before you start again.`;
    throw new TemplateMigrationError(named.name, isKept ? message + kept : message, { cause: error });
  }
}
