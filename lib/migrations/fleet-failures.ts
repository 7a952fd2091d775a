import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { DEFAULT_SERVER, placeOf } from '../placement/place';
import type { FleetMember } from './fleet-members';
import type { FleetTally } from './fleet-report';
import { orLeftOut, saysAway } from './fleet-servers';
import type { FleetTask } from './fleet-task';
import { type MigrationFailure, MigrationLedger } from './migration-ledger';
import type { TenantMigrationFailure } from './tenant-migrator';

/** Notes tenants that have failed, in the report and in the ledger, and halts the run when they are too many. */
@Injectable()
export class FleetFailures {
  constructor(
    private readonly ledger: MigrationLedger,
    private readonly transactions: SystemTransactions,
  ) {}

  /** @throws the error that tells that not the tenant but its server is away */
  async note(
    task: FleetTask,
    tally: FleetTally,
    { tenant }: FleetMember,
    error: TenantMigrationFailure,
  ): Promise<void> {
    const { server } = placeOf(tenant);
    await this.#requireThere(server, error);
    const failure: MigrationFailure = {
      tenantId: tenant.id,
      slug: tenant.slug,
      migration: error.migration.name,
      message: error.message,
      statement: statementOf(error.cause),
    };
    tally.failed.push(failure);
    tally.count(server, 'failed');
    if (tally.failed.length > task.options.maxFailures) {
      tally.halt(
        `${tally.failed.length} tenants failed, and maxFailures is ${task.options.maxFailures}. Correct the cause and run again: tenants that are done stay done.`,
      );
    }
    if (task.direction === 'down') return;
    const record = async (manager: EntityManager) => {
      await this.ledger.recordFailure(manager, failure, error.migration, task.runId);
      // Earlier migrations of this tenant may have succeeded.
      if (server === DEFAULT_SERVER) await this.ledger.writeVersion(manager, tenant.id);
    };
    await orLeftOut(server, () => this.transactions.run(record, server));
  }

  /** A lost connection is the tenant's failure as long as its server answers, and else that of the server. */
  async #requireThere(server: string, error: TenantMigrationFailure): Promise<void> {
    if (server === DEFAULT_SERVER || !saysAway(error.cause)) return;
    await orLeftOut(server, () => this.transactions.run((manager) => manager.query('SELECT 1'), server));
  }
}

/** TypeORM's `QueryFailedError` contains the statement that was sent. */
function statementOf(error: unknown): string | undefined {
  const { query, cause } = (error ?? {}) as { query?: unknown; cause?: unknown };
  if (typeof query === 'string') return query;
  return cause === undefined ? undefined : statementOf(cause);
}
