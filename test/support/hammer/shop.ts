import { Column, Entity, type MigrationInterface, PrimaryColumn, type QueryRunner } from 'typeorm';
import { CREATE_FUNCTIONS, DROP_FUNCTIONS } from './functions';

/** Primary keys that every tenant has. */
export const KEYS = 5;

/** Rows that are there from the start, the same keys everywhere, stamped with a stamp of their tenant. */
@Entity()
export class Account {
  @PrimaryColumn()
  id!: number;

  @Column()
  owner!: string;

  @Column({ default: 0 })
  value!: number;
}

/** What operations write. Nothing keeps a stamp from being written twice: the key is another column, which moves need. */
@Entity()
export class Entry {
  @PrimaryColumn()
  stamp!: string;
}

export const CREATE_SHOP = `
  CREATE TABLE account (id int PRIMARY KEY, owner text NOT NULL, value int NOT NULL DEFAULT 0);
  CREATE TABLE entry (stamp text NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)`;

/** The one account of a tenant whose schema goes away. */
export function rowOf(slug: string): string {
  return `INSERT INTO account (id, owner) VALUES (1, '${slug}')`;
}

export class CreateShop1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(CREATE_SHOP);
    await queryRunner.query(CREATE_FUNCTIONS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(DROP_FUNCTIONS);
    await queryRunner.query('DROP TABLE account, entry');
  }
}
