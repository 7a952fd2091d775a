import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../../registry/registry-schema';

/** The stored answers of requests with an `Idempotency-Key`. */
export class CreateIdempotencyKeys1763600210000 implements MigrationInterface {
  static readonly partOf = 'CreateAdminRecords1763600200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(idempotencyKeys(schema));
    await queryRunner.query(
      `CREATE INDEX idempotency_keys_expires_at_idx ON ${schema}.idempotency_keys (expires_at)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.idempotency_keys`);
  }
}

/**
 * `id` is a hash of the caller, the key and the call, because a key of 256 characters and a path of any length do not
 * fit into an index. While `answer` is null, the request is running for `owner`, or no longer when `claimed_until` has
 * passed.
 */
function idempotencyKeys(schema: string): string {
  return `
    CREATE TABLE ${schema}.idempotency_keys (
      id bytea NOT NULL CONSTRAINT idempotency_keys_pkey PRIMARY KEY,
      fingerprint bytea NOT NULL,
      owner uuid NOT NULL,
      tenant_id uuid NOT NULL,
      claimed_until timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      answer json
    )`;
}
