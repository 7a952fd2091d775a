import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { registrySchema } from '../registry/registry-schema';
import { inRegistry } from '../registry/store/registry-transaction';

/** A request to the admin API with a master key. */
export interface MasterKeyUse {
  readonly name: string;
  readonly method: string;
  /** Without its query, which may contain a reason; cut to 500 characters. */
  readonly path: string;
  readonly scope: string;
  /** Whether the key had the scope. */
  readonly granted: boolean;
  readonly ip?: string;
}

const KEPT_DAYS = 90;
/** How many old rows a use deletes. It adds one and deletes more, so that they never pile up. */
const CLEARED_AT_ONCE = 10;
const MAX_PATH_LENGTH = 500;

/** Stores each use of a master key for 90 days, in `master_key_uses` of the registry. */
@Injectable()
export class MasterKeyUses {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #table(): string {
    return `${quoteIdentifier(registrySchema(this.registry))}.master_key_uses`;
  }

  /**
   * Call it before the request has an effect, because a use that cannot be recorded must not happen. @throws
   * TenancyUnavailableError when the registry cannot be reached
   */
  async record({ name, method, path, scope, granted, ip }: MasterKeyUse): Promise<void> {
    const values = [name, method, path.slice(0, MAX_PATH_LENGTH), scope, granted, ip];
    await inRegistry(this.registry, async (transaction) => {
      await transaction.query(
        `INSERT INTO ${this.#table} (name, method, path, scope, granted, ip) VALUES ($1, $2, $3, $4, $5, $6)`,
        values,
      );
      await transaction.query(
        `DELETE FROM ${this.#table} WHERE id IN (
           SELECT id FROM ${this.#table} WHERE at < clock_timestamp() - $1 * interval '1 day'
           ORDER BY at LIMIT ${CLEARED_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
        [KEPT_DAYS],
      );
    });
  }
}
