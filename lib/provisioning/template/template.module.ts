import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { OwnLedger } from './own-ledger';
import { SessionMigrations } from './session-migrations';
import { SharedMigrator } from './shared-migrator';
import { Template } from './template';
import { TemplateOutside } from './template-outside';
import { TenantVersions } from './tenant-versions';
import { UnfinishedMigrations } from './unfinished-migrations';

const services = [
  OwnLedger,
  SessionMigrations,
  SharedMigrator,
  Template,
  TemplateOutside,
  TenantVersions,
  UnfinishedMigrations,
];

/** The schema that tenants are cloned from, and the shared schemas behind it. */
@Module({ imports: [ConnectionModule], providers: services, exports: services })
export class TemplateModule {}
