import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { checksumOf } from '../provisioning/template/migration-checksum';
import { type NamedMigration, namedMigrations } from '../provisioning/template/named-migrations';
import {
  pendingOf,
  SharedMigrator,
  type SharedSurvey,
  unknownOf,
} from '../provisioning/template/shared-migrator';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { TenantStore } from '../registry/store/tenant.store';
import { FleetStates } from './fleet-state';
import type { FleetStatus, MigrationTrouble, SharedMigrationReach } from './fleet-status';
import { MigrationLedger } from './migration-ledger';
import type { MigrationPlan } from './migration-plan';
import { MigrationRuns } from './migration-runs';
import { RehearsalStage } from './rehearsal';

/** Tells which migrations the fleet has, and what a run would do. Changes nothing. */
@Injectable()
export class FleetOutlook {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: SystemTransactions,
    private readonly shared: SharedMigrator,
    private readonly states: FleetStates,
    private readonly stage: RehearsalStage,
    private readonly ledger: MigrationLedger,
    private readonly runs: MigrationRuns,
    private readonly store: TenantStore,
  ) {}

  async plan(): Promise<MigrationPlan> {
    const { migrations, state, shared, warnings } = await this.#state();
    const lacks = ({ name }: NamedMigration) =>
      !state.template.has(name) || (state.having.get(name) ?? 0) < state.tenants;
    const pending = migrations.filter(lacks);
    const told = await this.stage.run(pending, shared, (name) => !state.template.has(name));
    const toldOf = (key: string) => told.get(key) ?? { sql: null, problems: [] };
    return {
      shared: shared.flatMap((survey) =>
        pendingOf(survey).map(({ name }) => ({
          schema: survey.schema,
          name,
          ...toldOf(`${survey.schema}: ${name}`),
        })),
      ),
      migrations: pending.map(({ name, migration }) => ({
        name,
        transaction: migration.transaction !== false,
        template: !state.template.has(name),
        tenants: state.tenants - (state.having.get(name) ?? 0),
        ...toldOf(name),
      })),
      warnings,
    };
  }

  async status(): Promise<FleetStatus> {
    const { migrations, state, shared, warnings } = await this.#state();
    const { troubles, count: troubleCount } = await this.#troubles();
    const reach = ({ name }: NamedMigration) => ({
      name,
      template: state.template.has(name),
      tenants: state.having.get(name) ?? 0,
    });
    const { tenants, behind } = state;
    const lastRun = (await this.runs.findLast()) ?? null;
    return {
      ...{ tenants, behind, migrations: migrations.map(reach) },
      ...{ shared: shared.flatMap(reachOf), troubles, troubleCount, lastRun, warnings },
    };
  }

  async #state() {
    const migrations = namedMigrations(this.dataSource.migrations);
    const state = await this.states.read(migrations.map(({ name }) => name));
    const shared = await this.shared.survey();
    return { migrations, state, shared, warnings: findOddities(migrations, state.template, shared) };
  }

  async #troubles(): Promise<{ troubles: MigrationTrouble[]; count: number }> {
    const { troubles, count } = await this.transactions.run((manager) => this.ledger.listTroubles(manager));
    // Tenants may be in a store of the application's own, so their slugs are looked up there.
    const ids = [...new Set(troubles.flatMap(({ tenantId }) => tenantId ?? []))];
    const tenants = await this.store.findMany(ids.map((value) => ({ by: 'id', value })));
    const slugs = new Map(ids.map((id, i) => [id, tenants[i]?.slug ?? null]));
    const slugOf = (id: string | null) => (id === null ? null : (slugs.get(id) ?? null));
    return { troubles: troubles.map((each) => ({ ...each, slug: slugOf(each.tenantId) })), count };
  }
}

function reachOf({ schema, migrations, applied }: SharedSurvey): SharedMigrationReach[] {
  return migrations.map(({ name }) => ({ schema, name, done: applied.has(name) }));
}

/** The differences between the code's migrations and those of the template and the shared schemas, in words. */
export function findOddities(
  migrations: readonly NamedMigration[],
  seen: ReadonlyMap<string, string | null>,
  shared: readonly SharedSurvey[],
): string[] {
  return [
    ...odditiesOf('', 'Tenants keep what it did then', migrations, seen),
    ...shared.flatMap((each) =>
      odditiesOf(`${each.schema}: `, 'What it did then stays', each.migrations, each.applied),
    ),
  ];
}

function odditiesOf(
  place: string,
  consequence: string,
  migrations: readonly NamedMigration[],
  seen: ReadonlyMap<string, string | null>,
): string[] {
  const edited = migrations.filter(({ name, migration }) => {
    const checksum = seen.get(name);
    return typeof checksum === 'string' && checksum !== checksumOf(migration);
  });
  return [
    ...edited.map(
      ({ name }) =>
        `${place}${name} was edited after it ran. ${consequence}: write another migration, or confirm that you know: ` +
        `tenancy migrate acknowledge ${name}`,
    ),
    ...unknownOf({ migrations, applied: seen }).map(
      (name) =>
        `${place}${name} has run, but the code does not have it: it was removed, or a newer version runs elsewhere.`,
    ),
  ];
}
