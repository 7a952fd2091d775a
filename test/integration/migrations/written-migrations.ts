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

/** The same, which takes itself back by another statement. */
export function reversible(name: string, up: string, down: string): new () => MigrationInterface {
  return class extends migration(name, up) {
    override down(queryRunner: QueryRunner): Promise<void> {
      return queryRunner.query(down);
    }
  };
}
