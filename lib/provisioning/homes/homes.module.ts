import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { MarksModule } from '../marks/marks.module';
import { TemplateModule } from '../template/template.module';
import { RolesModule } from '../roles/roles.module';
import { DatabaseHome } from './database-home';
import { DatabaseRows } from './database-rows';
import { HomeComment } from './home-comment';
import { Homes } from './homes';
import { SchemaHome } from './schema-home';
import { TenantDatabases } from './tenant-databases';

const services = [DatabaseHome, DatabaseRows, HomeComment, Homes, SchemaHome, TenantDatabases];

/** Where the schemas of tenants are, and what it takes to make and to drop one there. */
@Module({
  imports: [ConnectionModule, MarksModule, RolesModule, TemplateModule],
  providers: services,
  exports: services,
})
export class HomesModule {}
