import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryRunner } from 'typeorm';
import { isOutage } from '../common/outage';
import { ADMIN_DATA_SOURCE } from '../connection/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import type { NamedMigration } from '../provisioning/named-migrations';
import { SessionMigrations } from '../provisioning/session-migrations';
import { UnfinishedMigrations } from '../provisioning/unfinished-migrations';
import type { Tenant } from '../tenant/tenant';
import { type ClaimedMigration, MigrationLedger } from './migration-ledger';
import type { RunDirection } from './migration-runs';
import { terseTransaction } from './terse-transaction';

/** SQLSTATEs that say that somebody was in the way: deadlock_detected, serialization_failure, lock_not_available. */
const IN_THE_WAY = new Set(['40P01', '40001', '55P03']);

export interface TenantRunOptions {
  readonly runId: string;
  readonly lockTimeoutMs: number;
  /**
   * How often it is tried again when somebody was in the way (a deadlock, a lock that was not given in time) or the
   * connection was lost. A migration that says `transaction = false` is never tried again.
   */
  readonly retries: number;
}

/** A migration that ran in a tenant, and for how long. */
export interface MigrationDone {
  readonly name: string;
  readonly ms: number;
}

/** What went wrong, and in which migration. */
export class TenantMigrationFailure extends Error {
  constructor(
    readonly migration: NamedMigration,
    override readonly cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}

/**
 * Brings one tenant from one version to another: all or nothing, in one transaction of its own. Migrations that say
 * `transaction = false` cut it in pieces.
 */
@Injectable()
export class TenantMigrator {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly ledger: MigrationLedger,
    private readonly sessions: SessionMigrations,
    private readonly unfinished: UnfinishedMigrations,
  ) {}

  /**
   * What ran, of migrations in the order in which they are to run; after `up` the caller is to note the tenant's version. What another run has brought meanwhile is left out.
   * Throws `TenantMigrationFailure`; pieces that were done before stay done.
   */
  async run(
    tenant: Tenant,
    direction: RunDirection,
    migrations: readonly NamedMigration[],
    options: TenantRunOptions,
  ): Promise<MigrationDone[]> {
    const done: MigrationDone[] = [];
    const ordered = direction === 'up' ? migrations : [...migrations].reverse();
    for (const piece of inPieces(ordered)) {
      const isOutside = piece[0].migration.transaction === false;
      const ran = isOutside
        ? await this.#runOutside(tenant, direction, piece[0], options)
        : await this.#attempt(tenant, direction, piece, options);
      done.push(...ran);
    }
    return done;
  }

  async #attempt(
    tenant: Tenant,
    direction: RunDirection,
    piece: readonly NamedMigration[],
    options: TenantRunOptions,
  ): Promise<MigrationDone[]> {
    for (let retriesLeft = options.retries; ; retriesLeft--) {
      try {
        return await this.#runInside(tenant, direction, piece, options);
      } catch (error) {
        if (retriesLeft <= 0 || !mayTryAgain(error)) throw error;
      }
    }
  }

  #runInside(
    tenant: Tenant,
    direction: RunDirection,
    piece: readonly NamedMigration[],
    options: TenantRunOptions,
  ): Promise<MigrationDone[]> {
    let [current] = piece;
    const work = async (queryRunner: QueryRunner, rows: readonly ClaimedMigration[]) => {
      const ours = this.ledger.claimed(rows, tenant);
      const done: MigrationDone[] = [];
      for (const each of piece) {
        if (!ours.has(each.name)) continue;
        current = each;
        const start = performance.now();
        await each.migration[direction](queryRunner);
        done.push({ name: each.name, ms: performance.now() - start });
      }
      return done;
    };
    return this.context
      .runUnlimited(tenant, () =>
        terseTransaction(
          this.dataSource,
          this.ledger.claim(direction, tenant, piece, options),
          work,
          // Whoever asks for the version must not be told of what is no longer there. Last, so that nobody who changes the
          // tenant's row waits for a migration.
          (done) =>
            direction === 'down' && done.length > 0 ? this.ledger.versionStatement(tenant.id) : undefined,
        ),
      )
      .catch((error: unknown) => {
        throw new TenantMigrationFailure(current, error);
      });
  }

  async #runOutside(
    tenant: Tenant,
    direction: RunDirection,
    migration: NamedMigration,
    { runId, lockTimeoutMs }: TenantRunOptions,
  ): Promise<MigrationDone[]> {
    const start = performance.now();
    const owner = { id: tenant.id, label: `tenant "${tenant.slug}"`, schemaName: tenant.schemaName };
    const isDown = direction === 'down';
    const ran = await this.context
      .run(tenant, () =>
        this.sessions.run({
          ...{ owner, migration, direction, lockTimeoutMs },
          begin: (transaction) =>
            this.unfinished.begin(transaction, tenant.id, migration, {
              runId,
              from: isDown ? 'done' : 'failed',
            }),
          complete: async (transaction) => {
            await this.unfinished[isDown ? 'forget' : 'complete'](transaction, tenant.id, migration.name);
            await this.ledger.writeVersion(transaction, tenant.id);
          },
        }),
      )
      .catch((error: unknown) => {
        throw new TenantMigrationFailure(migration, error);
      });
    return ran ? [{ name: migration.name, ms: performance.now() - start }] : [];
  }
}

/** Each that says `transaction = false` by itself, and what stands between them together. */
function inPieces(migrations: readonly NamedMigration[]): [NamedMigration, ...NamedMigration[]][] {
  const pieces: [NamedMigration, ...NamedMigration[]][] = [];
  for (const each of migrations) {
    const last = pieces.at(-1);
    const isOutside = [each, last?.[0]].some((one) => one?.migration.transaction === false);
    if (last && !isOutside) last.push(each);
    else pieces.push([each]);
  }
  return pieces;
}

/** A connection that was lost has taken its transaction along, or the ledger tells that it has not. */
function mayTryAgain(error: unknown): boolean {
  const { cause } = error as TenantMigrationFailure;
  if (isOutage(cause)) return true;
  const { code, driverError } = (cause ?? {}) as { code?: unknown; driverError?: { code?: unknown } };
  return [code, driverError?.code].some((each) => typeof each === 'string' && IN_THE_WAY.has(each));
}
