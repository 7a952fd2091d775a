import type { PoolClient } from 'pg';
import { orUnavailable } from '../../common/outage';
import { LeaseEndedError } from '../../connection/connection.errors';

/**
 * What has become of a transaction that hooks were given: it is open, or failed and cannot be kept; or a hook has ended it,
 * so that what was written may be kept.
 */
export type Fate = 'open' | 'failed' | 'ended';

/** A transaction of ours while code that is not ours works in it, and may send COMMIT itself. */
export class GivenTransaction {
  private constructor(
    private readonly client: PoolClient,
    private readonly id: string,
  ) {}

  /** The one that is open on this client. */
  static async on(client: PoolClient): Promise<GivenTransaction> {
    const { rows } = await client.query<{ id: string }>('SELECT pg_catalog.txid_current() AS id');
    return new GivenTransaction(client, rows[0].id);
  }

  /**
   * To be asked when nothing is under way on the client. One that has failed is rolled back, since it answers nothing.
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
