import { Inject, Injectable, Logger, type OnModuleDestroy, Optional } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { backgroundClock, type Clock, CLOCK } from '../common/clock';
import { TenantContext } from '../context/tenant-context';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { RegistryTime } from '../registry/registry-time';
import { inRegistry } from '../registry/store/registry-transaction';
import { ACCESS_OPTIONS, type CheckedAccessOptions } from './access.options';
import { ApiKeyRows } from './api-key-rows';

/** How many keys may wait for their last use to be written. */
const MAX_WAITING = 10_000;

/** Records when keys were last used. Uses are written together, and no request waits for that. */
@Injectable()
export class ApiKeyUses implements OnModuleDestroy {
  readonly #logger = new Logger(ApiKeyUses.name);
  #waiting = new Map<string, Date>();
  #callOff?: () => void;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: ApiKeyRows,
    private readonly time: RegistryTime,
    private readonly context: TenantContext,
    @Inject(ACCESS_OPTIONS) private readonly options: CheckedAccessOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  record(id: string): void {
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(id)) return;
    this.#waiting.set(id, this.time.now());
    this.#callOff ??= this.clock.after(this.options.lastUsedIntervalMs, () => void this.flush());
  }

  /** Writes the waiting uses. It never rejects: what could not be written waits for the next time. */
  flush(): Promise<void> {
    this.#callOff?.();
    this.#callOff = undefined;
    return (this.#writing = this.#writing.then(() => this.context.runAsSystem(() => this.#write())));
  }

  /** Runs before the registry's connections are closed. */
  async onModuleDestroy(): Promise<void> {
    await this.flush();
  }

  async #write(): Promise<void> {
    const uses = this.#waiting;
    if (uses.size === 0) return;
    this.#waiting = new Map();
    try {
      await inRegistry(this.registry, (transaction) => this.rows.recordUses(transaction, uses));
    } catch (error) {
      this.#logger.warn(
        `lastUsedAt of API keys could not be written, and will be tried again: ${(error as Error).message}`,
      );
      for (const [id, at] of uses) if (!this.#waiting.has(id)) this.#waiting.set(id, at);
    }
  }
}
