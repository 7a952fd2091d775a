import type { ModulesContainer } from '@nestjs/core';
import type { MigrationInterface } from 'typeorm';
import { CreateRegistry1763600000000 } from './migrations/1763600000000-create-registry';
import { NotifyTenantChanges1763600100000 } from './migrations/1763600100000-notify-tenant-changes';
import { CreateTenantAudit1763600200000 } from './migrations/1763600200000-create-tenant-audit';
import { CreateSparesAndPurges1763600300000 } from './migrations/1763600300000-create-spares-and-purges';
import { CreateFleetLedger1763600400000 } from './migrations/1763600400000-create-fleet-ledger';
import { TrackSchemaVersions1763600600000 } from './migrations/1763600600000-track-schema-versions';
import { IdentifyRegistry1763601000000 } from './migrations/1763601000000-identify-registry';
import { KeepTemplatePrints1763601050000 } from './migrations/1763601050000-keep-template-prints';
import { CreateSharedMigrations1763601100000 } from './migrations/1763601100000-create-shared-migrations';
import { AddPlaces1763601200000 } from './migrations/1763601200000-add-places';
import { CreateMoves1763601300000 } from './migrations/1763601300000-create-moves';
import { NoteTenantDatabases1763601350000 } from './migrations/1763601350000-note-tenant-databases';
import { SpendLessOnFleetRuns1763601400000 } from './migrations/1763601400000-spend-less-on-fleet-runs';
import { MoveOnline1763601500000 } from './migrations/1763601500000-move-online';
import { CreateTenantEvents1763601600000 } from './migrations/1763601600000-create-tenant-events';

/** Makes tables of ours. The ledger `registry_migrations` knows it by its name, whichever module brings it. */
export interface RegistryMigration {
  new (): MigrationInterface;
  /**
   * The name of an earlier migration which made these tables together with those of others. Where the ledger has that
   * one, this one has nothing left to do.
   */
  readonly partOf?: string;
}

/** The migrations that every application needs. */
export const CORE_MIGRATIONS: readonly RegistryMigration[] = [
  CreateRegistry1763600000000,
  NotifyTenantChanges1763600100000,
  CreateTenantAudit1763600200000,
  CreateSparesAndPurges1763600300000,
  CreateFleetLedger1763600400000,
  TrackSchemaVersions1763600600000,
  IdentifyRegistry1763601000000,
  KeepTemplatePrints1763601050000,
  CreateSharedMigrations1763601100000,
  AddPlaces1763601200000,
  CreateMoves1763601300000,
  NoteTenantDatabases1763601350000,
  SpendLessOnFleetRuns1763601400000,
  MoveOnline1763601500000,
  CreateTenantEvents1763601600000,
];

/** Those of optional modules, by their names, since the registry knows none of these; and those that were split among them. */
const NAMES_BESIDE_CORE: readonly string[] = [
  'CreateIdempotencyKeys1763600210000',
  'CreateTenantApiKeys1763600500000',
  'CreateMasterKeyUses1763600510000',
  'CreateTenantSettings1763600800000',
  'CreateUsage1763600900000',
  'CreateTimers1763601400000',
  'CreateTenantMembers1763601650000',
  'CreateInvitations1763601660000',
  'CreateSupportAccess1763601670000',
  'CreateEventFollowers1763601700000',
  'CreateWebhooks1763601800000',
  'CreateAdminRecords1763600200000',
  'CreateApiKeys1763600500000',
];

/** Whether this version of the package knows a migration of the ledger, whichever modules the application imports. */
export function isKnownMigration(name: string): boolean {
  return NAMES_BESIDE_CORE.includes(name) || CORE_MIGRATIONS.some((each) => each.name === name);
}

/** Token of all migrations that the registry of this application needs. */
export const REGISTRY_MIGRATIONS = Symbol('REGISTRY_MIGRATIONS');

const BROUGHT = Symbol('REGISTRY_MIGRATIONS_BROUGHT');

/**
 * Of an optional module: the registry of an application that imports it has these tables as well. They are made
 * together with the registry's own, before anything is injected that reads them. Two modules may bring the same.
 */
export function BringsTables(...migrations: readonly RegistryMigration[]): ClassDecorator {
  return (module) => Reflect.defineMetadata(BROUGHT, migrations, module);
}

/**
 * The migrations of the core and of all modules that the application imports. Nest knows them before it makes the first
 * provider.
 */
export function registryMigrations(modules: ModulesContainer): RegistryMigration[] {
  const brought = [...modules.values()].flatMap(
    ({ metatype }) => (Reflect.getMetadata(BROUGHT, metatype) as RegistryMigration[] | undefined) ?? [],
  );
  return [...new Set([...CORE_MIGRATIONS, ...brought])];
}
