import { Column, Entity, PrimaryGeneratedColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { fromHeader, type TenancyOptions } from '../../lib';
import type { TestDatabase } from './database';

/** The smallest application of several tenants: one table. */
@Entity()
export class Note {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;
}

export class CreateNotes1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE note (id serial PRIMARY KEY, text varchar NOT NULL)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE note');
  }
}

/** A text may come twice until the transaction ends: then its COMMIT is refused. */
export class NotesOnce1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'ALTER TABLE note ADD CONSTRAINT once UNIQUE (text) DEFERRABLE INITIALLY DEFERRED',
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note DROP CONSTRAINT once');
  }
}

/** A server that is gone is not waited for: tests drop their databases. Nor is there anything to sweep in most. */
export function notesOptions({ url }: TestDatabase, changes: Partial<TenancyOptions> = {}): TenancyOptions {
  return {
    database: { url, connectAttempts: 1 },
    entities: [Note],
    migrations: [CreateNotes1700000000000],
    resolvers: [fromHeader('x-tenant-id')],
    sweeper: { intervalMs: 0 },
    ...changes,
  };
}
