import { Module } from '@nestjs/common';
import { ConnectionModule } from '../connection/connection.module';
import { ProvisioningModule } from '../provisioning/provisioning.module';
import { RegistryModule } from '../registry/registry.module';
import { FleetDrift } from './fleet-drift';
import { FleetMembers } from './fleet-members';
import { FleetMigrator } from './fleet-migrator';
import { FleetOutlook } from './fleet-outlook';
import { FleetFailures } from './fleet-failures';
import { FleetPass } from './fleet-pass';
import { FleetRun } from './fleet-run';
import { FleetStates } from './fleet-state';
import { FleetVersions } from './fleet-versions';
import { FleetTemplates } from './fleet-templates';
import { FleetServers } from './fleet-servers';
import { MigrationLedger } from './migration-ledger';
import { MigrationRuns } from './migration-runs';
import { RehearsalStage } from './rehearsal';
import { RunLock } from './run-lock';
import { SchemaDrift } from './schema-drift';
import { TenantMigrator } from './tenant-migrator';
import { TenantRepair } from './tenant-repair';
import { UnfinishedResolver } from './unfinished-resolver';

/** Migrates all tenants to the template's version, and compares them with the template. */
@Module({
  imports: [ConnectionModule, ProvisioningModule, RegistryModule],
  providers: [
    FleetDrift,
    FleetMembers,
    FleetMigrator,
    FleetOutlook,
    FleetFailures,
    FleetPass,
    FleetRun,
    FleetStates,
    FleetVersions,
    FleetTemplates,
    FleetServers,
    MigrationLedger,
    MigrationRuns,
    RehearsalStage,
    RunLock,
    SchemaDrift,
    TenantMigrator,
    TenantRepair,
    UnfinishedResolver,
  ],
  exports: [FleetDrift, FleetMigrator],
})
export class MigrationsModule {}
