import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateDailySummaries1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE daily_summaries (day date PRIMARY KEY, orders integer NOT NULL)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE daily_summaries');
  }
}
