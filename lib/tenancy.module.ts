import {
  type ConfigurableModuleAsyncOptions,
  ConfigurableModuleBuilder,
  type DynamicModule,
  type FactoryProvider,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type Provider,
} from '@nestjs/common';
import { APP_GUARD, DiscoveryModule, ModuleRef } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { moduleCheck } from './common/module-check';
import { PoolStatistics } from './connection/pool/pool-statistics';
import { TenantConnection } from './connection/typeorm/tenant-connection';
import { entitiesCheck } from './connection/typeorm/entities-check';
import { TENANT_DATA_SOURCE } from './connection/typeorm/tenant-data-source';
import { TenantTransactions } from './connection/typeorm/tenant-transactions';
import { TenantContext } from './context/tenant-context';
import {
  adminDataSource,
  directConnection,
  LOOKUPS_DATA_SOURCE,
  lookupsDataSource,
  ownSessionConnection,
  REGISTRY_DATA_SOURCE,
  registryDataSource,
  tenantDataSource,
} from './connection/typeorm/data-sources';
import { TransitionHooks } from './provisioning/hooks/transition-hooks';
import { ProvisionHooks } from './provisioning/hooks/provision-hooks';
import { EntitiesAhead } from './provisioning/entities-ahead';
import { HalfMade } from './provisioning/purge/half-made';
import { SessionMigrations } from './provisioning/template/session-migrations';
import { UnfinishedMigrations } from './provisioning/template/unfinished-migrations';
import { OWN_SESSION, OwnSessions } from './connection/typeorm/own-sessions';
import { Orphans } from './provisioning/purge/orphans';
import { FleetDrift } from './migrations/fleet-drift';
import { FleetMembers } from './migrations/fleet-members';
import { FleetStates } from './migrations/fleet-state';
import { UnfinishedResolver } from './migrations/unfinished-resolver';
import { RehearsalStage } from './migrations/rehearsal';
import { FleetOutlook } from './migrations/fleet-outlook';
import { FleetMigrator } from './migrations/fleet-migrator';
import { FleetRun } from './migrations/fleet-run';
import { MigrationLedger } from './migrations/migration-ledger';
import { MigrationRuns } from './migrations/migration-runs';
import { RunLease } from './migrations/run-lease';
import { SchemaDrift } from './migrations/schema-drift';
import { TenantRepair } from './migrations/tenant-repair';
import { TenantMigrator } from './migrations/tenant-migrator';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning/provisioning.options';
import { RegistryNeighbours } from './provisioning/marks/registry-neighbours';
import { SharedSchemas } from './provisioning/shared-schemas';
import { PurgeRecords } from './provisioning/purge/purge-records';
import { RoleChecks } from './provisioning/roles/role-checks';
import { SchemaAdoption } from './provisioning/schema-adoption';
import { SchemaComment } from './provisioning/marks/schema-comment';
import { SchemaDrop } from './provisioning/marks/schema-drop';
import { SchemaMarks } from './provisioning/marks/schema-marks';
import { SpareRefill } from './provisioning/spares/spare-refill';
import { Spares } from './provisioning/spares/spares';
import { SystemTransactions } from './connection/typeorm/system-transactions';
import { Template } from './provisioning/template/template';
import { SharedMigrator } from './provisioning/template/shared-migrator';
import { TemplateMigrator } from './provisioning/template-migrator';
import { TemplateOutside } from './provisioning/template/template-outside';
import { TenantCopy } from './provisioning/tenant-copy';
import { TenantChanger } from './provisioning/tenant-changer';
import { TenantEvents } from './provisioning/hooks/tenant-events';
import { TenantLifecycle } from './provisioning/tenant-lifecycle';
import { TenantMaker } from './provisioning/tenant-maker';
import { TenantProvisioner } from './provisioning/tenant-provisioner';
import { TenantRoles } from './provisioning/roles/tenant-roles';
import { TenantVersions } from './provisioning/tenant-versions';
import { TenantPurge } from './provisioning/purge/tenant-purge';
import { TenantSweeper } from './provisioning/purge/tenant-sweeper';
import { CURRENT_TENANT, currentTenantProvider } from './resolution/http/current-tenant.provider';
import { DurableClassesCheck } from './resolution/http/durable-classes-check';
import { EventStreamsInterceptor } from './resolution/http/event-streams.interceptor';
import { SharedCacheCheck } from './resolution/http/shared-cache-check';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from './resolution/resolution.options';
import { TenancyExceptionFilter } from './resolution/http/tenancy-exception.filter';
import { TenantLookup } from './registry/cache/tenant-lookup';
import { TenantResolution } from './resolution/tenant-resolution';
import { TenantGuard } from './resolution/http/tenant.guard';
import { TenantMiddleware } from './resolution/http/tenant.middleware';
import { resolveOptions } from './options/resolve-options';
import {
  type OptionsChange,
  type ResolvedTenancyOptions,
  TENANCY_OPTIONS,
  TENANCY_OPTIONS_CHANGE,
  type TenancyOptions,
} from './options/tenancy.options';
import { notify } from './registry/changes/notify';
import { RegistryTime } from './registry/registry-time';
import { NoTenantChanges, TenantChangeFeed } from './registry/changes/tenant-changes';
import { changesChannel } from './registry/changes/tenant-changes-channel';
import { RegistryTurns } from './registry/registry-turns';
import { TenantChangesListener } from './registry/changes/tenant-changes-listener';
import { TenantStore } from './registry/store/tenant.store';
import { TypeOrmTenantStore } from './registry/store/typeorm-tenant.store';
import { TenantExport } from './transfer/tenant-export';
import { TenantImport } from './transfer/tenant-import';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<TenancyOptions>()
  .setClassMethodName('forRoot')
  .build();

/** Checks the options once, for everybody who needs a part of them. */
@Module({
  providers: [
    RegistryTurns,
    {
      provide: TENANCY_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN, { token: TENANCY_OPTIONS_CHANGE, optional: true }],
      useFactory: (options: TenancyOptions, change?: OptionsChange) => {
        const resolved = resolveOptions(options);
        return change ? change(resolved) : resolved;
      },
    },
  ],
  exports: [TENANCY_OPTIONS, RegistryTurns],
})
class TenancyOptionsModule extends ConfigurableModuleClass {}

const store: FactoryProvider<TenantStore | Promise<TenantStore>> = {
  provide: TenantStore,
  inject: [
    TENANCY_OPTIONS,
    getDataSourceToken(REGISTRY_DATA_SOURCE),
    getDataSourceToken(LOOKUPS_DATA_SOURCE),
    ModuleRef,
  ],
  useFactory: (
    options: ResolvedTenancyOptions,
    registry: DataSource,
    lookups: DataSource,
    moduleRef: ModuleRef,
  ) => {
    if (options.store === undefined) return new TypeOrmTenantStore(registry, lookups);
    return typeof options.store === 'function' ? moduleRef.create(options.store) : options.store;
  },
};

/** From now on the registry knows for whom it is asked. */
const turnsOfTenants: FactoryProvider = {
  provide: 'TURNS_OF_TENANTS',
  inject: [RegistryTurns, TenantContext],
  useFactory: (turns: RegistryTurns, context: TenantContext) => {
    turns.whose = () => {
      const { tenant, unlimited } = context.scope() ?? {};
      return unlimited ? undefined : tenant?.id;
    };
    return turns;
  },
};

/** The registry tells of its changes; of those in another store nobody knows. */
const changeFeed: FactoryProvider<TenantChangeFeed> = {
  provide: TenantChangeFeed,
  inject: [TENANCY_OPTIONS, getDataSourceToken(LOOKUPS_DATA_SOURCE)],
  useFactory: ({ store, database, registry }: ResolvedTenancyOptions, dataSource: DataSource) => {
    if (store !== undefined) return new NoTenantChanges();
    return new TenantChangesListener({
      connection: directConnection(database),
      channel: changesChannel(registry.schema),
      notify: (channel, payload) => notify(dataSource, channel, payload),
    });
  },
};

const registryTime: FactoryProvider<Promise<RegistryTime>> = {
  provide: RegistryTime,
  inject: [getDataSourceToken(LOOKUPS_DATA_SOURCE)],
  useFactory: (lookups: DataSource) => RegistryTime.open(lookups),
};

const partsOfOptions: Provider[] = [
  {
    provide: RESOLUTION_OPTIONS,
    inject: [TENANCY_OPTIONS],
    useFactory: (options: ResolvedTenancyOptions): ResolutionOptions => ({
      resolvers: options.resolvers,
      fallbackTenant: options.fallbackTenant,
      trustedProxies: options.trustedProxies,
      vary: options.vary,
      cache: options.cache,
    }),
  },
  {
    provide: PROVISIONING_OPTIONS,
    inject: [TENANCY_OPTIONS],
    useFactory: (options: ResolvedTenancyOptions): ProvisioningOptions => ({
      templateSchema: options.templateSchema,
      templateData: options.templateData,
      sharedSchemas: options.sharedSchemas,
      sharedMigrations: options.sharedMigrations,
      roles: options.roles,
      onProvision: options.hooks.onProvision,
      onTransition: options.hooks.onTransition,
      spares: options.spares,
      sweeper: options.sweeper,
      migrateTemplate: options.migrateTemplate,
      leaveTemplate: options.leaveTemplate,
      registrySchema: options.registry.schema,
      reservedSlugs: options.reservedSlugs,
      wildcardDomains: options.wildcardDomains,
      domainProof: options.domainProof,
    }),
  },
];

/** Statements of migrations take as long as they take. */
const ownSession: FactoryProvider = {
  provide: OWN_SESSION,
  inject: [TENANCY_OPTIONS],
  useFactory: ({ database }: ResolvedTenancyOptions) => ownSessionConnection(database),
};

const services = [
  TenantContext,
  TenantConnection,
  TenantTransactions,
  PoolStatistics,
  TenantLookup,
  TenantResolution,
  TenantProvisioner,
  TenantLifecycle,
  FleetMigrator,
  FleetDrift,
  TenantEvents,
  TenantPurge,
  TenantSweeper,
  RoleChecks,
  TenantExport,
  TenantImport,
];

/** Turns the application into one for many tenants. Import it once, in the root module. */
@Module({})
export class TenancyModule implements NestModule {
  static forRoot(options: TenancyOptions): DynamicModule {
    return compose(TenancyOptionsModule.forRoot(options));
  }

  /** As `forRoot`, with options from a factory, a class or another module: `useFactory`, `useClass`, `useExisting`. */
  static forRootAsync(options: ConfigurableModuleAsyncOptions<TenancyOptions>): DynamicModule {
    return compose(TenancyOptionsModule.forRootAsync(options));
  }

  /** Makes repositories of these entities injectable: `@InjectTenantRepository(Order)`. */
  static forFeature(entities: Parameters<typeof TypeOrmModule.forFeature>[0]): DynamicModule {
    const feature = TypeOrmModule.forFeature(entities, TENANT_DATA_SOURCE);
    return { ...feature, providers: [entitiesCheck(entities), ...(feature.providers ?? [])] };
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(TenantMiddleware).forRoutes('{*splat}');
  }
}

function compose(optionsModule: DynamicModule): DynamicModule {
  return {
    module: TenancyModule,
    global: true,
    imports: [
      optionsModule,
      DiscoveryModule,
      TypeOrmModule.forRootAsync({ imports: [optionsModule], ...registryDataSource }),
      TypeOrmModule.forRootAsync({ imports: [optionsModule], ...lookupsDataSource }),
      TypeOrmModule.forRootAsync({ imports: [optionsModule], ...tenantDataSource }),
      TypeOrmModule.forRootAsync({ imports: [optionsModule], ...adminDataSource }),
    ],
    providers: [
      moduleCheck(() => TenancyModule),
      ...partsOfOptions,
      ...services,
      store,
      turnsOfTenants,
      changeFeed,
      registryTime,
      SchemaMarks,
      SchemaDrop,
      SchemaComment,
      RegistryNeighbours,
      SharedSchemas,
      TenantChanger,
      SystemTransactions,
      PurgeRecords,
      Spares,
      SpareRefill,
      ProvisionHooks,
      TransitionHooks,
      SchemaAdoption,
      TenantCopy,
      TenantMaker,
      TenantVersions,
      ownSession,
      OwnSessions,
      TenantRoles,
      MigrationLedger,
      MigrationRuns,
      RunLease,
      FleetMembers,
      FleetStates,
      RehearsalStage,
      FleetOutlook,
      UnfinishedResolver,
      SessionMigrations,
      UnfinishedMigrations,
      SchemaDrift,
      TenantRepair,
      TenantMigrator,
      FleetRun,
      HalfMade,
      EntitiesAhead,
      Orphans,
      Template,
      SharedMigrator,
      TemplateMigrator,
      TemplateOutside,
      TenantMiddleware,
      TenancyExceptionFilter,
      DurableClassesCheck,
      SharedCacheCheck,
      EventStreamsInterceptor,
      currentTenantProvider,
      { provide: APP_GUARD, useClass: TenantGuard },
    ],
    exports: [...services, TenantStore, TenantChangeFeed, RegistryTime, CURRENT_TENANT],
  };
}
