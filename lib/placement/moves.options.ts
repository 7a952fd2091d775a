import { milliseconds, waiting } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';

/** How tenants move from one place to another. */
export class CheckedMovesOptions {
  /**
   * How long a request waits while its tenant changes its place, in milliseconds from 0; then it gets 503 `TENANT_MOVING`.
   * Default 10,000.
   */
  @Option(waiting(0), { variable: 'TENANCY_MOVES_WAIT_MS' })
  readonly waitMs: number = 10_000;

  /**
   * How long a move tries to get the tenant's tables for itself, in milliseconds from 0: it waits for open transactions, half
   * a second at a time. Then it fails, and the tenant stays where it is. Default 30,000.
   */
  @Option(waiting(0), { variable: 'TENANCY_MOVES_DRAIN_MS' })
  readonly drainMs: number = 30_000;

  /**
   * How long a move that goes on serving waits until the new place has done what is written at the old one, in milliseconds from 0,
   * and before that for transactions that write on the old server. Then it fails, and the tenant stays where it is. Default
   * 600,000, ten minutes.
   *
   * @see docs/placement.md#while-it-is-served
   */
  @Option(waiting(0), { variable: 'TENANCY_MOVES_CATCH_UP_MS' })
  readonly catchUpMs: number = 600_000;

  /**
   * How long the rows at the old place are kept after a move, in milliseconds from 0, by the database's clock. Default
   * 86,400,000, a day.
   */
  @Option(milliseconds(0), { variable: 'TENANCY_MOVES_KEEP_MS' })
  readonly keepMs: number = 86_400_000;
}
