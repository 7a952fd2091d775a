import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { HomesModule } from '../homes/homes.module';
import { MarksModule } from '../marks/marks.module';
import { RolesModule } from '../roles/roles.module';
import { TemplateModule } from '../template/template.module';
import { DatabaseRefill } from './database-refill';
import { SpareRefill } from './spare-refill';
import { SpareState } from './spare-state';
import { Spares } from './spares';

const services = [DatabaseRefill, SpareRefill, Spares, SpareState];

/** Clones that wait for their tenants. */
@Module({
  imports: [ConnectionModule, HomesModule, MarksModule, RolesModule, TemplateModule],
  providers: services,
  exports: services,
})
export class SparesModule {}
