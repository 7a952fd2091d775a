import { createHash, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { uuidV7 } from '../common/uuid-v7';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { registrySchema } from '../registry/registry-schema';
import { inRegistry } from '../registry/store/registry-transaction';
import type { Attempt, BeginOutcome, KeptAnswer } from './idempotency-attempt';

/** How long an answer is stored, counted from the first request. */
const KEPT_HOURS = 24;
/**
 * How long a request without an answer blocks its key. Calls take seconds at most, so by then its process has probably
 * died.
 */
const ATTEMPT_SECONDS = 60;
/** How many expired rows a request deletes. It adds one and deletes more, so that they never pile up. */
const CLEARED_AT_ONCE = 10;
/**
 * A key may be released between two look-ups, and is then free for us. That it happens ten times in a row is not a
 * coincidence.
 */
const MAX_LOOKS = 10;

interface Row {
  readonly fingerprint: Buffer;
  readonly answer: KeptAnswer | null;
}

/**
 * Stores which requests were sent with which keys, for all instances, in rows of the registry. Each is written in a
 * short transaction; no connection is held while a request runs.
 */
@Injectable()
export class IdempotencyKeys {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #table(): string {
    return `${quoteIdentifier(registrySchema(this.registry))}.idempotency_keys`;
  }

  /**
   * Takes a key for this request, or returns why that is not possible.
   *
   * @param parts the key, and what keeps equal keys apart: the caller and the call
   * @throws TenancyUnavailableError when the registry cannot be reached
   */
  begin(parts: readonly string[], fingerprint: Buffer): Promise<BeginOutcome> {
    const id = createHash('sha256').update(JSON.stringify(parts)).digest();
    return inRegistry(this.registry, async (transaction) => {
      for (let look = 1; look <= MAX_LOOKS; look += 1) {
        const attempt = await this.#take(transaction, id, fingerprint);
        if (attempt) {
          await this.#clear(transaction);
          return { kind: 'begun', attempt };
        }
        const row = await this.#read(transaction, id);
        if (!row) continue;
        if (!row.fingerprint.equals(fingerprint)) return { kind: 'reused' };
        return row.answer ? { kind: 'answered', id, answer: row.answer } : { kind: 'running' };
      }
      return { kind: 'running' };
    });
  }

  /** Stores the answer, unless a later attempt has taken the key over. */
  async keep({ id, owner }: Attempt, answer: KeptAnswer): Promise<void> {
    await inRegistry(this.registry, (transaction) =>
      transaction.query(`UPDATE ${this.#table} SET answer = $3 WHERE id = $1 AND owner = $2`, [
        id,
        owner,
        JSON.stringify(answer),
      ]),
    );
  }

  /** Frees the key of a request that had no effect, so that it may be sent with another body. */
  async release({ id, owner }: Attempt): Promise<void> {
    await inRegistry(this.registry, (transaction) =>
      transaction.query(`DELETE FROM ${this.#table} WHERE id = $1 AND owner = $2`, [id, owner]),
    );
  }

  /** Allows the same body to be tried again at once. The request failed, and how much of it was done is unknown. */
  async giveUp({ id, owner }: Attempt): Promise<void> {
    await inRegistry(this.registry, (transaction) =>
      transaction.query(
        `UPDATE ${this.#table} SET claimed_until = '-infinity' WHERE id = $1 AND owner = $2`,
        [id, owner],
      ),
    );
  }

  /** Gives the attempt a new id for what it creates, because an earlier attempt may still use the old one. */
  async withNewId(attempt: Attempt): Promise<Attempt> {
    const newId = uuidV7();
    await inRegistry(this.registry, (transaction) =>
      transaction.query(`UPDATE ${this.#table} SET tenant_id = $3 WHERE id = $1 AND owner = $2`, [
        attempt.id,
        attempt.owner,
        newId,
      ]),
    );
    return { ...attempt, newId };
  }

  /**
   * Atomic: of all instances, one gets the row. An instance that waited for another one's lock sees the row as that one
   * left it. The times are PostgreSQL's, the same for all instances.
   */
  async #take(transaction: SqlExecutor, id: Buffer, fingerprint: Buffer): Promise<Attempt | undefined> {
    const [owner, freshId] = [randomUUID(), uuidV7()];
    const rows = (await transaction.query(
      `INSERT INTO ${this.#table} AS kept (id, fingerprint, owner, tenant_id, claimed_until, expires_at)
       VALUES ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 second', clock_timestamp() + $6 * interval '1 hour')
       ON CONFLICT (id) DO UPDATE SET
         fingerprint = EXCLUDED.fingerprint, owner = EXCLUDED.owner, claimed_until = EXCLUDED.claimed_until, answer = NULL,
         tenant_id = CASE WHEN kept.expires_at <= clock_timestamp() THEN EXCLUDED.tenant_id ELSE kept.tenant_id END,
         expires_at = CASE WHEN kept.expires_at <= clock_timestamp() THEN EXCLUDED.expires_at ELSE kept.expires_at END
       WHERE kept.expires_at <= clock_timestamp()
          OR (kept.answer IS NULL AND kept.claimed_until <= clock_timestamp() AND kept.fingerprint = EXCLUDED.fingerprint)
       RETURNING tenant_id`,
      [id, fingerprint, owner, freshId, ATTEMPT_SECONDS, KEPT_HOURS],
    )) as { tenant_id: string }[];
    if (rows.length === 0) return undefined;
    const newId = rows[0].tenant_id;
    return { id, owner, newId, isRepeated: newId !== freshId };
  }

  async #read(transaction: SqlExecutor, id: Buffer): Promise<Row | undefined> {
    const [row] = (await transaction.query(
      `SELECT fingerprint, answer FROM ${this.#table} WHERE id = $1 AND expires_at > clock_timestamp()`,
      [id],
    )) as Row[];
    return row;
  }

  /** Bounded, and skips rows that are locked. */
  async #clear(transaction: SqlExecutor): Promise<void> {
    await transaction.query(
      `DELETE FROM ${this.#table} WHERE id IN (
         SELECT id FROM ${this.#table} WHERE expires_at <= clock_timestamp()
         ORDER BY expires_at LIMIT ${CLEARED_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
    );
  }
}
