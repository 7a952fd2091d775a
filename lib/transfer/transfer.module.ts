import { Module } from '@nestjs/common';
import { ConnectionModule } from '../connection/connection.module';
import { ProvisioningModule } from '../provisioning/provisioning.module';
import { RegistryModule } from '../registry/registry.module';
import { TenantExport } from './tenant-export';
import { TenantImport } from './tenant-import';

const services = [TenantExport, TenantImport];

/** Writes a tenant to a file, and makes a tenant from it. */
@Module({
  imports: [ConnectionModule, ProvisioningModule, RegistryModule],
  providers: services,
  exports: services,
})
export class TransferModule {}
