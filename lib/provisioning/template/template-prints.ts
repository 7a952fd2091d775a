import { createHash } from 'node:crypto';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import type { Blueprint } from '../../schema/blueprint';
import type { Prints } from '../../schema/prints';

/** Prints of a structure that no template has are not needed, and are found again if it comes back. */
const KEPT_FOR = '30 days';

/** How clones of the template print differently from it, stored so that one trial clone serves all instances. */
export class TemplatePrints {
  readonly #table: string;

  constructor(registrySchema: string) {
    this.#table = `${quoteIdentifier(registrySchema)}.template_prints`;
  }

  /** `undefined` when no clone of that structure was tried on this server. */
  async find(executor: SqlExecutor, structure: Structure): Promise<Prints | undefined> {
    const [row] = (await executor.query(
      `SELECT prints FROM ${this.#table} WHERE structure = $1 AND server = pg_catalog.current_setting('server_version_num')`,
      [keyOf(structure)],
    )) as { prints: Prints }[];
    return row?.prints;
  }

  async keep(transaction: SqlExecutor, structure: Structure, prints: Prints): Promise<void> {
    await transaction.query(
      `DELETE FROM ${this.#table} WHERE kept_at < pg_catalog.now() - pg_catalog.interval '${KEPT_FOR}'`,
    );
    await transaction.query(
      `INSERT INTO ${this.#table} (structure, server, prints)
       VALUES ($1, pg_catalog.current_setting('server_version_num'), $2) ON CONFLICT (structure, server) DO NOTHING`,
      [keyOf(structure), JSON.stringify(prints)],
    );
  }
}

type Structure = Pick<Blueprint, 'fingerprint' | 'hashQuery'>;

/** The key contains the query, because another version of this library may read the structure differently. */
function keyOf({ fingerprint, hashQuery }: Structure): string {
  return createHash('sha256').update(`${fingerprint}\n${hashQuery.schemas}`).digest('hex');
}
