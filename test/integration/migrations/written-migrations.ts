import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A migration of that name that runs these statements. */
export function migration(name: string, ...statements: string[]): new () => MigrationInterface {
  return class implements MigrationInterface {
    readonly name = name;
    async up(queryRunner: QueryRunner): Promise<void> {
      for (const statement of statements) await queryRunner.query(statement);
    }
    async down(): Promise<void> {}
  };
}
