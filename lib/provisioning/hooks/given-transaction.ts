import type { PoolClient } from 'pg';
import { orUnavailable } from '../../common/outage';
import { LeaseEndedError } from '../../connection/connection.errors';

/**
 * The state of a transaction after a hook has worked in it. `failed`: it cannot be committed. `ended`: the hook sent COMMIT or
 * ROLLBACK, so a part of what it wrote may be committed.
 */
export type Fate = 'open' | 'failed' | 'ended';

/** A transaction of ours that is given to hooks of the application, which may send COMMIT themselves. */
export class GivenTransaction {
  private constructor(
    private readonly client: PoolClient,
    private readonly id: string,
  ) {}

  /** The transaction that is open on this client. */
  static async on(client: PoolClient): Promise<GivenTransaction> {
    const { rows } = await client.query<{ id: string }>('SELECT pg_catalog.txid_current() AS id');
    return new GivenTransaction(client, rows[0].id);
  }

  /**
   * Call it when nothing is under way on the client. A failed transaction is rolled back, because it answers no query.
   *
   * @throws TenancyUnavailableError when its connection is lost
   */
  async fate(): Promise<Fate> {
    try {
      const status = this.client.getTransactionStatus();
      if (status === 'E') await this.client.query('ROLLBACK');
      const { rows } = await this.client.query<{ now: string | null; was: string | null }>(
        'SELECT pg_catalog.txid_current_if_assigned() AS now, pg_catalog.txid_status($1::bigint) AS was',
        [this.id],
      );
      const [{ now, was }] = rows;
      if (status === 'E') return was === 'committed' ? 'ended' : 'failed';
      return status === 'T' && now === this.id ? 'open' : 'ended';
    } catch (error) {
      if (error instanceof LeaseEndedError) return 'ended';
      throw orUnavailable('The database', error);
    }
  }
}
