import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ConnectionModule } from '../connection/connection.module';
import { ProvisioningModule } from '../provisioning/provisioning.module';
import { RegistryModule } from '../registry/registry.module';
import { TenantExport } from './tenant-export';
import { TenantImport } from './tenant-import';
import { TransferHooks } from './transfer-hooks';

const services = [TenantExport, TenantImport];

/** Writes a tenant to a file, and makes a tenant from it. */
@Module({
  imports: [ConnectionModule, DiscoveryModule, ProvisioningModule, RegistryModule],
  providers: [...services, TransferHooks],
  exports: services,
})
export class TransferModule {}
