import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryRunner } from 'typeorm';
import { ADMIN_DATA_SOURCE } from '../connection/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import type { NamedMigration } from '../provisioning/named-migrations';
import type { Tenant } from '../tenant/tenant';
import { MigrationLedger } from './migration-ledger';

/** SQLSTATEs that say that somebody was in the way: deadlock_detected, serialization_failure, lock_not_available. */
const IN_THE_WAY = new Set(['40P01', '40001', '55P03']);

export interface TenantRunOptions {
  readonly runId: string;
  readonly lockTimeoutMs: number;
  /** How often it is tried again when somebody was in the way: a deadlock, a lock that was not given in time. */
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

/** Brings one tenant from one version to another: all or nothing, in one transaction of its own. */
@Injectable()
export class TenantMigrator {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly ledger: MigrationLedger,
  ) {}

  /** What ran. Migrations that another run has brought meanwhile are left out. Throws `TenantMigrationFailure`. */
  up(
    tenant: Tenant,
    pending: readonly NamedMigration[],
    options: TenantRunOptions,
  ): Promise<MigrationDone[]> {
    return this.#attempt(tenant, pending, options, async (each, queryRunner) => {
      if (!(await this.ledger.claim(queryRunner, tenant.id, each, options))) return false;
      await each.migration.up(queryRunner);
      return true;
    });
  }

  /** What was reverted; `migrations` in the order in which they ran. Throws `TenantMigrationFailure`. */
  down(
    tenant: Tenant,
    migrations: readonly NamedMigration[],
    options: TenantRunOptions,
  ): Promise<MigrationDone[]> {
    return this.#attempt(tenant, [...migrations].reverse(), options, async (each, queryRunner) => {
      if (!(await this.ledger.unclaim(queryRunner, tenant.id, each.name, options.lockTimeoutMs)))
        return false;
      await each.migration.down(queryRunner);
      return true;
    });
  }

  async #attempt(
    tenant: Tenant,
    migrations: readonly NamedMigration[],
    { retries }: TenantRunOptions,
    run: (each: NamedMigration, queryRunner: QueryRunner) => Promise<boolean>,
  ): Promise<MigrationDone[]> {
    for (let retriesLeft = retries; ; retriesLeft--) {
      try {
        return await this.#runAll(tenant, migrations, run);
      } catch (error) {
        if (retriesLeft <= 0 || !wasInTheWay(error)) throw error;
      }
    }
  }

  #runAll(
    tenant: Tenant,
    migrations: readonly NamedMigration[],
    run: (each: NamedMigration, queryRunner: QueryRunner) => Promise<boolean>,
  ): Promise<MigrationDone[]> {
    let current = migrations[0];
    return this.context
      .run(tenant, () =>
        this.dataSource.transaction('READ COMMITTED', async (manager) => {
          const done: MigrationDone[] = [];
          for (const each of migrations) {
            current = each;
            const start = performance.now();
            if (await run(each, manager.queryRunner as QueryRunner)) {
              done.push({ name: each.name, ms: performance.now() - start });
            }
          }
          return done;
        }),
      )
      .catch((error: unknown) => {
        throw new TenantMigrationFailure(current, error);
      });
  }
}

function wasInTheWay(error: unknown): boolean {
  const { cause } = error as TenantMigrationFailure;
  const { code, driverError } = cause as { code?: unknown; driverError?: { code?: unknown } };
  return [code, driverError?.code].some((each) => typeof each === 'string' && IN_THE_WAY.has(each));
}
