import { Logger, type OnModuleDestroy } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import type { Clock } from '../common/clock';
import { messageOf } from '../common/error-message';
import type { SqlExecutor } from '../common/sql';
import type { TenantContext } from '../context/tenant-context';
import type { RegistryTime } from '../registry/registry-time';
import { inRegistry } from '../registry/store/registry-transaction';

/** How many may wait for their last use to be written. */
const MAX_WAITING = 10_000;

export interface LastUsesOptions {
  /** What is written, for the log: `lastUsedAt of API keys`. */
  readonly what: string;
  readonly intervalMs: number;
  readonly registry: DataSource;
  readonly time: RegistryTime;
  readonly context: TenantContext;
  readonly clock: Clock;
  readonly write: (transaction: SqlExecutor, uses: ReadonlyMap<string, Date>) => Promise<void>;
}

/** Records when things were last used. Uses are written together, and no request waits for that. */
export abstract class LastUses implements OnModuleDestroy {
  readonly #logger = new Logger(this.constructor.name);
  readonly #options: LastUsesOptions;
  #waiting = new Map<string, Date>();
  #callOff?: () => void;
  #writing: Promise<void> = Promise.resolve();

  protected constructor(options: LastUsesOptions) {
    this.#options = options;
  }

  record(id: string): void {
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(id)) return;
    const { time, clock, intervalMs } = this.#options;
    this.#waiting.set(id, time.now());
    this.#callOff ??= clock.after(intervalMs, () => void this.flush());
  }

  /** Writes the waiting uses. It never rejects: what could not be written waits for the next time. */
  flush(): Promise<void> {
    this.#callOff?.();
    this.#callOff = undefined;
    return (this.#writing = this.#writing.then(() => this.#options.context.runAsSystem(() => this.#write())));
  }

  /** Runs before the registry's connections are closed. */
  async onModuleDestroy(): Promise<void> {
    await this.flush();
  }

  async #write(): Promise<void> {
    const uses = this.#waiting;
    if (uses.size === 0) return;
    this.#waiting = new Map();
    const { registry, what, write } = this.#options;
    try {
      await inRegistry(registry, (transaction) => write(transaction, uses));
    } catch (error) {
      this.#logger.warn(`${what} could not be written, and will be tried again: ${messageOf(error)}`);
      for (const [id, at] of uses) if (!this.#waiting.has(id)) this.#waiting.set(id, at);
    }
  }
}
