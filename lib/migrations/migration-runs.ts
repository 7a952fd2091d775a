import { Inject, Injectable } from '@nestjs/common';
import { uuidV7 } from '../common/uuid-v7';
import { quoteIdentifier } from '../common/sql';
import { storableJson } from '../common/storable';
import { thisProcess } from '../common/this-process';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { MigrationRunActiveError } from './migrations.errors';

export type RunDirection = 'up' | 'down';
export type RunState = 'running' | 'done' | 'failed' | 'halted' | 'abandoned';

/** A run as the registry stores it. */
export interface MigrationRun {
  readonly id: string;
  readonly direction: RunDirection;
  readonly state: RunState;
  /** The host and the process that works on it, for people. */
  readonly holder: string;
  readonly migrations: readonly string[];
  readonly report: Readonly<Record<string, unknown>> | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

/** A run that has not renewed its lock for this long is dead. */
export const LOCK_SECONDS = 30;

/**
 * The SQL of runs. One run works at a time: its row is a lock, which expires, because a process that dies cannot
 * release it.
 */
@Injectable()
export class MigrationRuns {
  readonly #table: string;

  constructor(
    private readonly transactions: SystemTransactions,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#table = `${quoteIdentifier(registrySchema)}.migration_runs`;
  }

  /** Records a new run and returns its id. @throws MigrationRunActiveError naming the run that has the lock */
  async begin(direction: RunDirection, migrations: readonly string[]): Promise<string> {
    const id = uuidV7();
    return this.transactions.inRegistry(async (manager) => {
      await manager.query(
        `UPDATE ${this.#table} SET state = 'abandoned', finished_at = pg_catalog.clock_timestamp()
         WHERE state = 'running' AND lease_until < pg_catalog.clock_timestamp()`,
      );
      const begun = await manager.query<unknown[]>(
        `INSERT INTO ${this.#table} (id, direction, state, holder, migrations, lease_until)
        VALUES ($1, $2, 'running', $3, $4, pg_catalog.clock_timestamp() + '${LOCK_SECONDS} s')
         ON CONFLICT DO NOTHING RETURNING id`,
        [id, direction, thisProcess(), JSON.stringify(migrations)],
      );
      if (begun.length === 1) return id;
      const [active] = await manager.query<{ id: string; holder: string; started_at: Date }[]>(
        `SELECT id, holder, started_at FROM ${this.#table} WHERE state = 'running'`,
      );
      throw new MigrationRunActiveError(
        active?.id ?? 'unknown',
        active?.holder ?? 'another process',
        active?.started_at ?? new Date(),
      );
    });
  }

  /** Whether the run still has the lock, which is renewed. */
  async renew(id: string): Promise<boolean> {
    const [renewed] = await this.transactions.inRegistry((manager) =>
      manager.query<[unknown[], number]>(
        `UPDATE ${this.#table} SET lease_until = pg_catalog.clock_timestamp() + '${LOCK_SECONDS} s'
         WHERE id = $1 AND state = 'running' RETURNING id`,
        [id],
      ),
    );
    return renewed.length === 1;
  }

  async finish(id: string, state: RunState, report: object): Promise<void> {
    await this.transactions.inRegistry((manager) =>
      manager.query(
        `UPDATE ${this.#table} SET state = $2, report = $3, finished_at = pg_catalog.clock_timestamp()
         WHERE id = $1 AND state = 'running'`,
        [id, state, storableJson(report)],
      ),
    );
  }

  find(id: string): Promise<MigrationRun | undefined> {
    return this.#first('WHERE id = $1', [id]);
  }

  /** The run that is working, else the one that began last. */
  findLast(): Promise<MigrationRun | undefined> {
    return this.#first(`ORDER BY state = 'running' DESC, started_at DESC, id DESC LIMIT 1`, []);
  }

  async #first(which: string, parameters: unknown[]): Promise<MigrationRun | undefined> {
    const [row] = await this.transactions.inRegistry((manager) =>
      manager.query<RunRow[]>(
        `SELECT id, direction, state, holder, migrations, report, started_at, finished_at FROM ${this.#table} ${which}`,
        parameters,
      ),
    );
    if (!row) return undefined;
    const { started_at: startedAt, finished_at: finishedAt, ...rest } = row;
    return { ...rest, startedAt, finishedAt };
  }
}

type RunRow = Omit<MigrationRun, 'startedAt' | 'finishedAt'> & {
  readonly started_at: Date;
  readonly finished_at: Date | null;
};
