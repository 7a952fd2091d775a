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
import { APP_GUARD, ModuleRef } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { TenantConnection } from './connection/tenant-connection';
import { TENANT_DATA_SOURCE } from './connection/tenant-data-source';
import { TenantTransactions } from './connection/tenant-transactions';
import { TenantContext } from './context/tenant-context';
import { REGISTRY_DATA_SOURCE, registryDataSource, tenantDataSource } from './data-sources';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning/provisioning.options';
import { SchemaComment } from './provisioning/schema-comment';
import { Template } from './provisioning/template';
import { TemplateMigrator } from './provisioning/template-migrator';
import { TenantLifecycle } from './provisioning/tenant-lifecycle';
import { TenantProvisioner } from './provisioning/tenant-provisioner';
import { CURRENT_TENANT, currentTenantProvider } from './resolution/current-tenant.provider';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from './resolution/resolution.options';
import { TenancyExceptionFilter } from './resolution/tenancy-exception.filter';
import { TenantLookup } from './resolution/tenant-lookup';
import { TenantResolution } from './resolution/tenant-resolution';
import { TenantGuard } from './resolution/tenant.guard';
import { TenantMiddleware } from './resolution/tenant.middleware';
import { resolveOptions } from './resolve-options';
import { TENANCY_OPTIONS, type ResolvedTenancyOptions, type TenancyOptions } from './tenancy.options';
import { TenantStore } from './tenant/tenant.store';
import { TypeOrmTenantStore } from './tenant/typeorm-tenant.store';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<TenancyOptions>()
  .setClassMethodName('forRoot')
  .build();

/** Checks the options once, for everybody who needs a part of them. */
@Module({
  providers: [
    {
      provide: TENANCY_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: TenancyOptions) => resolveOptions(options),
    },
  ],
  exports: [TENANCY_OPTIONS],
})
class TenancyOptionsModule extends ConfigurableModuleClass {}

const store: FactoryProvider<TenantStore | Promise<TenantStore>> = {
  provide: TenantStore,
  inject: [TENANCY_OPTIONS, getDataSourceToken(REGISTRY_DATA_SOURCE), ModuleRef],
  useFactory: (options: ResolvedTenancyOptions, registry: DataSource, moduleRef: ModuleRef) => {
    if (options.store === undefined) return new TypeOrmTenantStore(registry);
    return typeof options.store === 'function' ? moduleRef.create(options.store) : options.store;
  },
};

const partsOfOptions: Provider[] = [
  {
    provide: RESOLUTION_OPTIONS,
    inject: [TENANCY_OPTIONS],
    useFactory: ({ resolvers, fallbackTenant, cache }: ResolvedTenancyOptions): ResolutionOptions => ({
      resolvers,
      fallbackTenant,
      cache,
    }),
  },
  {
    provide: PROVISIONING_OPTIONS,
    inject: [TENANCY_OPTIONS],
    useFactory: ({ templateSchema, migrateTemplate, registry, reservedSlugs }: ResolvedTenancyOptions) =>
      ({
        templateSchema,
        migrateTemplate,
        registrySchema: registry.schema,
        reservedSlugs,
      }) satisfies ProvisioningOptions,
  },
];

const services = [
  TenantContext,
  TenantConnection,
  TenantTransactions,
  TenantLookup,
  TenantResolution,
  TenantProvisioner,
  TenantLifecycle,
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
    return TypeOrmModule.forFeature(entities, TENANT_DATA_SOURCE);
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
      TypeOrmModule.forRootAsync({ imports: [optionsModule], ...registryDataSource }),
      TypeOrmModule.forRootAsync({ imports: [optionsModule], ...tenantDataSource }),
    ],
    providers: [
      ...partsOfOptions,
      ...services,
      store,
      SchemaComment,
      Template,
      TemplateMigrator,
      TenantMiddleware,
      TenancyExceptionFilter,
      currentTenantProvider,
      { provide: APP_GUARD, useClass: TenantGuard },
    ],
    exports: [...services, TenantStore, CURRENT_TENANT],
  };
}
