import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { FleetMigrator } from '../../../lib';
import { cleanEnvironment, programArguments, REPOSITORY } from '../../support/commands';
import { createTestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import { startAppOn } from '../provisioning/app';

class AddPlace1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
  }

  async down(): Promise<void> {}
}

/** The signal that ended the program. */
function runProgram(url: string): Promise<unknown> {
  const program = join(__dirname, 'killed-fleet-program.ts');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      programArguments(program, url),
      { cwd: REPOSITORY, env: cleanEnvironment() },
      (error) => resolve(error?.signal),
    );
  });
}

it('a run that was killed in the middle of the third tenant leaves the rest, and nothing else, to the next one', async () => {
  const database = await createTestDatabase();
  const old = await startAppOn(database);
  for (let i = 0; i < 6; i++) await old.create({ slug: `tenant-${i}` });
  await old.close();
  await expect(runProgram(database.url)).resolves.toBe('SIGKILL');

  const app = await startAppOn(database, { migrations: [CreateNotes1700000000000, AddPlace1700000001000] });
  const fleet = app.app.get(FleetMigrator);
  await expect(fleet.status()).resolves.toMatchObject({ behind: 4, lastRun: { state: 'running' } });
  await expect(fleet.up()).rejects.toMatchObject({ code: 'MIGRATION_RUN_ACTIVE' });
  // Half a minute passes.
  await database.query(`UPDATE tenancy.migration_runs SET lease_until = now() - interval '1 s'`);
  await expect(fleet.up()).resolves.toMatchObject({ state: 'done', done: 4, skipped: 0, failed: [] });
  await expect(fleet.status()).resolves.toMatchObject({ behind: 0, lastRun: { state: 'done' } });
  await app.close();
  await database.drop();
});
