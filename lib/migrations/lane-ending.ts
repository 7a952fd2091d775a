import type { Logger } from 'typeorm';
import type { Lease } from '../connection/pool/lease';
import type { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';
import { rollBack, sendMessage } from './lane-message';

/** What was to run after a transaction whose COMMIT then failed. Nothing of it has run. */
export class WithdrawnError extends Error {}

/** The end of a transaction. It is sent with the beginning of the next, or by itself when none comes at once. */
export class LaneEnding {
  isWaiting = true;
  /** Resolves when it is committed, and rejects when it is not. */
  readonly done: Promise<void>;
  settle!: (error?: Error) => void;

  /** @param statements up to COMMIT */
  constructor(
    private readonly tenant: Tenant,
    readonly lease: Lease,
    readonly statements: readonly string[],
    onSettled: (ending: LaneEnding) => void,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.settle = (error) => {
        onSettled(this);
        if (error === undefined) resolve();
        else reject(error);
      };
    });
  }

  /** Sends it by itself, unless it has been sent. Also for the next tenant, which waits for it. */
  sendAlone(context: TenantContext, logger: Logger): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    void context.runUnborn(this.tenant, () => this.#send(logger));
  }

  async #send(logger: Logger): Promise<void> {
    const { lease, statements } = this;
    try {
      await sendMessage(lease, { ours: () => statements }, logger);
      lease.release();
      this.settle();
    } catch (error) {
      await rollBack(lease);
      this.settle(error as Error);
    }
  }
}
