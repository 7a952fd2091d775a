import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { FleetMigrator, TenancyModule } from '../../../lib';
import type { TestDatabase } from '../../support/database';
import { CreateNotes1700000000000, notesOptions } from '../../support/notes';

/** Migrates a fleet and is killed in the middle of the third tenant; the template was the first to see the migration. */
const [url] = process.argv.slice(2);

let seen = 0;

class AddPlace1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
    if (++seen === 4) process.kill(process.pid, 'SIGKILL');
  }

  async down(): Promise<void> {}
}

async function main(): Promise<void> {
  const migrations = [CreateNotes1700000000000, AddPlace1700000001000];
  const app = await NestFactory.createApplicationContext(
    TenancyModule.forRoot(notesOptions({ url } as TestDatabase, { migrations })),
    { logger: ['error'] },
  );
  await app.get(FleetMigrator).up({ concurrency: 1 });
  await app.close();
}

void main();
