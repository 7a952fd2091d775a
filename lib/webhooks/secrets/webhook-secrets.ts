import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { isTenancyCli } from '../../common/tenancy-cli';
import { uuidV7 } from '../../common/uuid-v7';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import { askRegistry, inRegistry } from '../../registry/store/registry-transaction';
import { standardWebhooks } from '../receiving/standard-webhooks';
import { WebhookKeysMissingError } from '../webhooks.errors';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../webhooks.options';
import { type BoxedSecret, SecretBox } from './secret-box';
import { newSecret } from './signature';

/** How many secrets of an endpoint sign at once. A further rotation ends the oldest. */
const MAX_VALID = 3;

/** How many rows are encrypted again in one transaction. */
const REENCRYPTED_AT_ONCE = 500;

interface SecretRow extends BoxedSecret {
  readonly id: string;
}

/** The secrets of endpoints, which are encrypted in the registry. */
@Injectable()
export class WebhookSecrets implements OnModuleInit {
  readonly #box: SecretBox;

  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    @Inject(WEBHOOKS_OPTIONS) private readonly options: CheckedWebhooksOptions,
  ) {
    // Says at the start that it is missing.
    standardWebhooks();
    this.#box = new SecretBox(options.encryptionKeys, options.encryptionKeyId);
  }

  get #table(): string {
    return `${quoteIdentifier(registrySchema(this.registry))}.webhook_secrets`;
  }

  /** @throws WebhookKeysMissingError when secrets are encrypted with keys that the application does not have */
  async onModuleInit(): Promise<void> {
    if (isTenancyCli()) return;
    const used = await askRegistry<{ keyId: string }[]>(
      this.registry,
      (schema) => `SELECT DISTINCT key_id AS "keyId" FROM ${schema}.webhook_secrets ORDER BY 1`,
    );
    const missing = used
      .map(({ keyId }) => keyId)
      .filter((id) => !Object.hasOwn(this.options.encryptionKeys, id));
    if (missing.length > 0) throw new WebhookKeysMissingError(missing);
  }

  /**
   * The secrets that sign for an endpoint now, the latest first. Each is read anew: a rotation counts from the next attempt on.
   *
   * @throws TenancyUnavailableError
   * @throws WebhookSecretUnreadableError
   */
  async of(endpointId: string): Promise<string[]> {
    const rows = await askRegistry<SecretRow[]>(
      this.registry,
      (schema) => `
        SELECT id, key_id AS "keyId", ciphertext FROM ${schema}.webhook_secrets
        WHERE endpoint_id = $1 AND (expires_at IS NULL OR expires_at > pg_catalog.clock_timestamp())
        ORDER BY created_at DESC, id DESC`,
      [endpointId],
    );
    return rows.map((row) => this.#box.open(row, row.id));
  }

  /**
   * Gives an endpoint a new secret, and returns it. The current one signs for `overlapMs` more, and never more than three do.
   * The caller has locked the endpoint.
   */
  async renew(transaction: SqlExecutor, endpointId: string, overlapMs: number): Promise<string> {
    await transaction.query(
      `UPDATE ${this.#table} SET expires_at = pg_catalog.clock_timestamp() + $2 * interval '1 millisecond'
       WHERE endpoint_id = $1 AND expires_at IS NULL`,
      [endpointId, overlapMs],
    );
    await transaction.query(
      `DELETE FROM ${this.#table} WHERE endpoint_id = $1 AND (expires_at <= pg_catalog.clock_timestamp() OR id NOT IN (
         SELECT id FROM ${this.#table} WHERE endpoint_id = $1 ORDER BY created_at DESC, id DESC LIMIT ${MAX_VALID - 1}))`,
      [endpointId],
    );
    const [id, secret] = [uuidV7(), newSecret()];
    const { keyId, ciphertext } = this.#box.close(secret, id);
    await transaction.query(
      `INSERT INTO ${this.#table} (id, endpoint_id, key_id, ciphertext) VALUES ($1, $2, $3, $4)`,
      [id, endpointId, keyId, ciphertext],
    );
    return secret;
  }

  /**
   * Encrypts all secrets with the key of `encryptionKeyId` that are encrypted with another, and returns how many those were.
   * After that no other key is needed. It may run on several instances, and again after it was broken off.
   *
   * @throws TenancyUnavailableError
   * @throws WebhookSecretUnreadableError
   */
  async reencrypt(): Promise<number> {
    for (let count = 0; ;) {
      const done = await inRegistry(this.registry, (transaction) => this.#reencryptSome(transaction));
      count += done;
      if (done === 0) return count;
    }
  }

  async #reencryptSome(transaction: SqlExecutor): Promise<number> {
    const rows = (await transaction.query(
      `SELECT id, key_id AS "keyId", ciphertext FROM ${this.#table} WHERE key_id <> $1
       ORDER BY id LIMIT ${REENCRYPTED_AT_ONCE} FOR UPDATE`,
      [this.#box.keyId],
    )) as SecretRow[];
    for (const row of rows) {
      const { keyId, ciphertext } = this.#box.close(this.#box.open(row, row.id), row.id);
      await transaction.query(`UPDATE ${this.#table} SET key_id = $2, ciphertext = $3 WHERE id = $1`, [
        row.id,
        keyId,
        ciphertext,
      ]);
    }
    return rows.length;
  }
}
