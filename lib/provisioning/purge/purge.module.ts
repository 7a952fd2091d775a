import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { RegistryModule } from '../../registry/registry.module';
import { HomesModule } from '../homes/homes.module';
import { HooksModule } from '../hooks/hooks.module';
import { MarksModule } from '../marks/marks.module';
import { RolesModule } from '../roles/roles.module';
import { SparesModule } from '../spares/spares.module';
import { TemplateModule } from '../template/template.module';
import { HalfMade } from './half-made';
import { Orphans } from './orphans';
import { PurgeRecords } from './purge-records';
import { TenantPurge } from './tenant-purge';
import { TenantSweeper } from './tenant-sweeper';
import { UnfinishedDatabases } from './unfinished-databases';

/** Purges of tenants, and the sweeper in the background. */
@Module({
  imports: [
    ConnectionModule,
    HomesModule,
    HooksModule,
    MarksModule,
    RegistryModule,
    RolesModule,
    SparesModule,
    TemplateModule,
  ],
  providers: [HalfMade, Orphans, PurgeRecords, TenantPurge, TenantSweeper, UnfinishedDatabases],
  exports: [HalfMade, PurgeRecords, TenantPurge, TenantSweeper],
})
export class PurgeModule {}
