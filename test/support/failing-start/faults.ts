import { Controller, Get, Injectable, type ModuleMetadata, Scope, Inject } from '@nestjs/common';
import { Column, Entity, type MigrationInterface, PrimaryGeneratedColumn, type QueryRunner } from 'typeorm';
import { CURRENT_TENANT, fromHeader, OnProvision, type TenancyOptions, TenancyModule } from '../../../lib';
import { TenancyAdminModule } from '../../../lib/admin';
import { TenancyThrottlingModule } from '../../../lib/throttling';
import { CreateNotes1700000000000, Note } from '../notes';

/** What an application imports, as its `AppModule` does: `DATABASE_URL` says where. */
export const tenancy = (changes: Partial<TenancyOptions> = {}) =>
  TenancyModule.forRoot({
    database: { url: process.env.DATABASE_URL, connectAttempts: 1, ...changes.database },
    entities: [Note],
    migrations: [CreateNotes1700000000000],
    resolvers: [fromHeader('x-tenant-id')],
    ...changes,
  });

@Entity({ schema: 'elsewhere' })
class Placed {
  @PrimaryGeneratedColumn()
  id!: number;
}

@Entity()
class Keyless {
  @Column()
  text!: string;
}

const migration = (name: string, sql: string) =>
  class implements MigrationInterface {
    name = name;
    async up(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query(sql);
    }
    async down() {}
  };

@OnProvision()
class NoHook {}

@Injectable({ scope: Scope.REQUEST, durable: true })
class Kept {
  constructor(@Inject(CURRENT_TENANT) readonly tenant: unknown) {}
}

@Controller()
class KeptController {
  constructor(private readonly kept: Kept) {}

  @Get()
  get() {
    return this.kept.tenant;
  }
}

/** Applications that do not start, each for one reason. */
export const FAULTS: Readonly<Record<string, () => ModuleMetadata>> = {
  none: () => ({ imports: [tenancy()] }),
  unreachable: () => ({ imports: [tenancy({ database: { connectAttempts: 3, connectRetryDelayMs: 100 } })] }),
  'no url': () => ({ imports: [tenancy()] }),
  'bad options': () => ({
    imports: [tenancy({ resolvers: [], templateData: 'note' as never })],
  }),
  'an entity with a schema': () => ({ imports: [tenancy({ entities: [Placed] })] }),
  'an entity without a key': () => ({ imports: [tenancy({ entities: [Keyless] })] }),
  'a migration that fails': () => ({
    imports: [tenancy({ migrations: [migration('Broken1700000000001', 'CREATE TABLE')] })],
  }),
  'a template that no tenant can be made of': () => ({
    imports: [tenancy({ migrations: [migration('Shell1700000000001', 'CREATE TYPE amount')] })],
  }),
  'a template that is behind': () => ({ imports: [tenancy({ migrateTemplate: false })] }),
  'a registry that is behind': () => ({ imports: [tenancy({ registry: { migrate: false } })] }),
  'a shared schema that is not there': () => ({ imports: [tenancy({ sharedSchemas: ['reference'] })] }),
  'roles of a superuser': () => ({
    imports: [tenancy({ roles: true, database: { adminUrl: `${process.env.DATABASE_URL}?x=1` } })],
  }),
  'no master key': () => ({ imports: [tenancy(), TenancyAdminModule.forRoot({ masterKey: 'short' })] }),
  'bad options of a module beside it': () => ({
    imports: [tenancy(), TenancyThrottlingModule.forRoot({ plans: {}, defaultPlan: 'free' })],
  }),
  'a hook that is none': () => ({ imports: [tenancy()], providers: [NoHook] }),
  'a durable class with a tenant': () => ({
    imports: [tenancy()],
    providers: [Kept],
    controllers: [KeptController],
  }),
};
