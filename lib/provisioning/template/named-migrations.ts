import type { MigrationInterface } from 'typeorm';
import { TemplateMigrationError } from '../provisioning-start.errors';

export interface NamedMigration {
  readonly name: string;
  readonly timestamp: number;
  readonly migration: MigrationInterface;
}

/**
 * The application's migrations in the order in which they run, by TypeORM's rules for names: a timestamp of 13 digits
 * at the end, and no name twice.
 *
 * @throws TemplateMigrationError naming the migration with a bad name
 */
export function namedMigrations(migrations: readonly MigrationInterface[]): NamedMigration[] {
  const named = migrations.map((migration) => {
    const name = migration.name ?? migration.constructor.name;
    const timestamp = Number(/\d{13}$/.exec(name)?.[0]);
    if (!timestamp) {
      throw new TemplateMigrationError(
        name,
        'its name must end with a 13-digit timestamp, as TypeORM makes it.',
      );
    }
    return { name, timestamp, migration };
  });
  const duplicate = named.find(
    ({ name }, index) => named.findIndex((other) => other.name === name) !== index,
  );
  if (duplicate) throw new TemplateMigrationError(duplicate.name, 'two migrations have this name.');
  return named.sort((a, b) => a.timestamp - b.timestamp);
}
