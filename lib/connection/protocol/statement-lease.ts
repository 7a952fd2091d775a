import type { TransactionParameters } from './transaction-parameters';
import type { TenantClient } from './tenant-client';

/** The parts of a lease that a statement uses. */
export interface StatementLease {
  readonly client: TenantClient;
  /** Why a statement must not be sent now, if it must not. `text`: its own, if it is known. */
  refusal(text?: unknown): Error | undefined;
  /** What makes a transaction the tenant's. */
  readonly parameters: TransactionParameters;
  /**
   * Whether the statement runs for the system: if it refuses to run in a transaction, it may be sent without
   * parameters.
   */
  readonly isSystem: boolean;
  /** Notes what a statement that is about to be sent may leave behind. */
  heedText(text: unknown): void;
  /** Notes what an error says about the connection. Returns the error for the caller. */
  heed(error: Error): Error;
}
