import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { RegistryModule } from '../../registry/registry.module';
import { TemplateModule } from '../template/template.module';
import { RoleChecks } from './role-checks';
import { TenantRoles } from './tenant-roles';

const services = [RoleChecks, TenantRoles];

/** A PostgreSQL role for each tenant. */
@Module({
  imports: [ConnectionModule, RegistryModule, TemplateModule],
  providers: services,
  exports: services,
})
export class RolesModule {}
