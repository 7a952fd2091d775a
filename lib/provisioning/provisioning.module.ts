import { Module } from '@nestjs/common';
import { ConnectionModule } from '../connection/connection.module';
import { RegistryModule } from '../registry/registry.module';
import { EntitiesAhead } from './entities-ahead';
import { HomesModule } from './homes/homes.module';
import { HooksModule } from './hooks/hooks.module';
import { MarksModule } from './marks/marks.module';
import { PurgeModule } from './purge/purge.module';
import { RolesModule } from './roles/roles.module';
import { OpenMoves } from './open-moves';
import { PlaceChooser } from './place-chooser';
import { SchemaAdoption } from './schema-adoption';
import { SharedSchemas } from './shared-schemas';
import { SparesModule } from './spares/spares.module';
import { TemplateMigrator } from './template-migrator';
import { TemplateModule } from './template/template.module';
import { TenantChanger } from './tenant-changer';
import { TenantCopy } from './tenant-copy';
import { TenantLifecycle } from './tenant-lifecycle';
import { TenantMaker } from './tenant-maker';
import { TenantProvisioner } from './tenant-provisioner';

const rooms = [HomesModule, HooksModule, MarksModule, PurgeModule, RolesModule, SparesModule, TemplateModule];

/** A tenant's life, from the template to the purge. */
@Module({
  imports: [ConnectionModule, RegistryModule, ...rooms],
  providers: [
    EntitiesAhead,
    OpenMoves,
    PlaceChooser,
    SchemaAdoption,
    SharedSchemas,
    TemplateMigrator,
    TenantChanger,
    TenantCopy,
    TenantLifecycle,
    TenantMaker,
    TenantProvisioner,
  ],
  exports: [
    ...rooms,
    OpenMoves,
    PlaceChooser,
    TemplateMigrator,
    TenantChanger,
    TenantLifecycle,
    TenantMaker,
    TenantProvisioner,
  ],
})
export class ProvisioningModule {}
