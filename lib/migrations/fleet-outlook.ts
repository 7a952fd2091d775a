import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { checksumOf } from '../provisioning/template/migration-checksum';
import { type NamedMigration, namedMigrations } from '../provisioning/template/named-migrations';
import { pendingOf, unknownOf } from '../provisioning/template/shared-migrator';
import { DEFAULT_SERVER } from '../placement/place';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { TenantStore } from '../registry/store/tenant.store';
import { type FleetState, FleetStates, type ServerState, sumOf } from './fleet-state';
import type { FleetStatus, MigrationTrouble, SharedMigrationReach } from './fleet-status';
import { MigrationLedger } from './migration-ledger';
import type { MigrationPlan, PlannedSharedMigration } from './migration-plan';
import { MigrationRuns } from './migration-runs';
import { RehearsalStage } from './rehearsal';

/** How many troubles are listed. */
const MAX_TROUBLES = 100;

/** Tells which migrations the fleet has, and what a run would do. Changes nothing. */
@Injectable()
export class FleetOutlook {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: SystemTransactions,
    private readonly states: FleetStates,
    private readonly stage: RehearsalStage,
    private readonly ledger: MigrationLedger,
    private readonly runs: MigrationRuns,
    private readonly store: TenantStore,
  ) {}

  async plan(): Promise<MigrationPlan> {
    const { migrations, state, warnings } = await this.#state();
    const [first] = state.servers;
    const isLackedByTemplate = ({ name }: NamedMigration) =>
      state.servers.some(({ template }) => !template.has(name));
    const tenantsLacking = ({ name }: NamedMigration) =>
      sumOf(state, ({ tenants, having }) => tenants - (having.get(name) ?? 0));
    const pending = migrations.filter((each) => isLackedByTemplate(each) || tenantsLacking(each) > 0);
    const told = await this.stage.run(pending, first.shared, (name) => !first.template.has(name));
    const toldOf = (key: string) => told.get(key) ?? { sql: null, problems: [] };
    const ofShared = first.shared.flatMap((survey) =>
      pendingOf(survey).map(({ name }) => ({
        schema: survey.schema,
        name,
        ...toldOf(`${survey.schema}: ${name}`),
      })),
    );
    return {
      shared: [...ofShared, ...lackedElsewhere(state)],
      migrations: pending.map((each) => ({
        name: each.name,
        transaction: each.migration.transaction !== false,
        template: isLackedByTemplate(each),
        tenants: tenantsLacking(each),
        ...toldOf(each.name),
      })),
      warnings,
    };
  }

  async status(): Promise<FleetStatus> {
    const { migrations, state, warnings } = await this.#state();
    const { troubles, count: troubleCount } = await this.#troubles(state);
    const reach = ({ name }: NamedMigration) => {
      const serversLacking = state.servers.filter(({ template }) => !template.has(name));
      return {
        name,
        template: serversLacking.length === 0,
        lackedBy: serversLacking.map(({ server }) => server),
        tenants: sumOf(state, ({ having }) => having.get(name) ?? 0),
      };
    };
    // Tenants of a server that was not asked count as behind.
    const unasked = state.away.reduce((sum, { tenants }) => sum + tenants, 0);
    const tenants = sumOf(state, (each) => each.tenants) + unasked;
    const behind = sumOf(state, (each) => each.behind) + unasked;
    const lastRun = (await this.runs.findLast()) ?? null;
    return {
      ...{ tenants, behind, migrations: migrations.map(reach) },
      ...{ shared: reachOfShared(state), troubles, troubleCount, lastRun, warnings },
    };
  }

  async #state() {
    const migrations = namedMigrations(this.dataSource.migrations);
    const state = await this.states.read(migrations.map(({ name }) => name));
    const away = state.away.map(({ server, why }) => tellAway(server, why));
    return { migrations, state, warnings: [...away, ...findOddities(migrations, state)] };
  }

  async #troubles({ servers }: FleetState): Promise<{ troubles: MigrationTrouble[]; count: number }> {
    const found: Omit<MigrationTrouble, 'slug'>[] = [];
    let count = 0;
    for (const { server } of servers) {
      const there = await this.transactions.run((manager) => this.ledger.listTroubles(manager), server);
      const where = server === DEFAULT_SERVER ? {} : { server };
      found.push(...there.troubles.map((each) => ({ ...each, ...where })));
      count += there.count;
    }
    const troubles = found.sort((one, other) => other.at.getTime() - one.at.getTime()).slice(0, MAX_TROUBLES);
    // Tenants may be in a store of the application's own, so their slugs are looked up there.
    const ids = [...new Set(troubles.flatMap(({ tenantId }) => tenantId ?? []))];
    const tenants = await this.store.findMany(ids.map((value) => ({ by: 'id', value })));
    const slugs = new Map(ids.map((id, i) => [id, tenants[i]?.slug ?? null]));
    const slugOf = (id: string | null) => (id === null ? null : (slugs.get(id) ?? null));
    return { troubles: troubles.map((each) => ({ ...each, slug: slugOf(each.tenantId) })), count };
  }
}

function tellAway(server: string, why: string): string {
  return `The server "${server}" was not asked: ${/[.!?]$/.test(why) ? why : `${why}.`}`;
}

/** A shared migration is done when it is done on every server that could be asked. */
function reachOfShared({ servers }: FleetState): SharedMigrationReach[] {
  return servers[0].shared.flatMap(({ schema, migrations }) =>
    migrations.map(({ name }) => ({
      schema,
      name,
      done: servers.every(({ shared }) =>
        shared.some((each) => each.schema === schema && each.applied.has(name)),
      ),
    })),
  );
}

/** Shared migrations that the registry's server has, and another one lacks. */
function lackedElsewhere({ servers: [first, ...further] }: FleetState): PlannedSharedMigration[] {
  return first.shared.flatMap(({ schema, migrations, applied }) =>
    migrations
      .filter(
        ({ name }) =>
          applied.has(name) &&
          further.some(({ shared }) =>
            shared.some((each) => each.schema === schema && !each.applied.has(name)),
          ),
      )
      .map(({ name }) => ({ schema, name, sql: null, note: NOT_TRIED, problems: [] })),
  );
}

const NOT_TRIED = 'Only servers other than "default" lack it, and the rehearsal runs on "default" alone.';

/**
 * The differences between the code's migrations and those of the templates and the shared schemas, in words. What the
 * registry's server has too is not said again for the others.
 */
export function findOddities(migrations: readonly NamedMigration[], { servers }: FleetState): string[] {
  const [first, ...further] = servers.map((state) => ({
    server: state.server,
    oddities: odditiesOn(migrations, state),
  }));
  const only = further.flatMap(({ server, oddities }) =>
    oddities.filter((each) => !first.oddities.includes(each)).map((each) => `${server}: ${each}`),
  );
  return [...first.oddities, ...only];
}

function odditiesOn(migrations: readonly NamedMigration[], { template, shared }: ServerState): string[] {
  return [
    ...odditiesOf('', 'Tenants keep what it did then', migrations, template),
    ...shared.flatMap((each) =>
      odditiesOf(`${each.schema}: `, 'What it did then stays', each.migrations, each.applied),
    ),
  ];
}

function odditiesOf(
  prefix: string,
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
        `${prefix}${name} was edited after it ran. ${consequence}: write another migration, or confirm that you know: ` +
        `tenancy migrate acknowledge ${name}`,
    ),
    ...unknownOf({ migrations, applied: seen }).map(
      (name) =>
        `${prefix}${name} has run, but the code does not have it: it was removed, or another instance runs a newer version of the application.`,
    ),
  ];
}
