import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { MarksModule } from '../marks/marks.module';
import { RolesModule } from '../roles/roles.module';
import { TemplateModule } from '../template/template.module';
import { SpareRefill } from './spare-refill';
import { SpareState } from './spare-state';
import { Spares } from './spares';

const services = [SpareRefill, Spares, SpareState];

/** Clones that wait for their tenants. */
@Module({
  imports: [ConnectionModule, MarksModule, RolesModule, TemplateModule],
  providers: services,
  exports: services,
})
export class SparesModule {}
