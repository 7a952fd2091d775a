import {
  type DynamicModule,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Optional,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { mayMiss, moduleCheck, StartState } from './common/module-check';
import { ConnectionModule } from './connection/connection.module';
import { entitiesCheck } from './connection/typeorm/entities-check';
import { TENANT_DATA_SOURCE } from './connection/typeorm/tenant-data-source';
import { ContextModule } from './context/context.module';
import { MigrationsModule } from './migrations/migrations.module';
import { type TenancyAsyncOptions, TenancyOptionsModule } from './options/options.module';
import type { TenancyOptions } from './options/tenancy.options';
import { MovesModule } from './moves/moves.module';
import { ProvisioningModule } from './provisioning/provisioning.module';
import { RegistryModule } from './registry/registry.module';
import { STORE_MAKER } from './registry/registry.options';
import { MiddlewareMount } from './resolution/http/tenant.middleware';
import { ResolutionModule } from './resolution/resolution.module';
import { TransferModule } from './transfer/transfer.module';

const folders = [
  ContextModule,
  RegistryModule,
  ConnectionModule,
  ResolutionModule,
  ProvisioningModule,
  MigrationsModule,
  TransferModule,
  MovesModule,
];

/** Turns the application into one for many tenants. Import it once, in the root module. */
@Module({ providers: [moduleCheck((): Type => TenancyModule, STORE_MAKER)] })
export class TenancyModule implements NestModule {
  /** It may be missing for as long as it takes to say that options are. */
  constructor(@Optional() private readonly middleware: MiddlewareMount) {}

  static forRoot(options: TenancyOptions): DynamicModule {
    return compose(TenancyOptionsModule.forRoot(options));
  }

  /** As `forRoot`, with options from a factory, a class or another module: `useFactory`, `useClass`, `useExisting`. */
  static forRootAsync(options: TenancyAsyncOptions): DynamicModule {
    return compose(TenancyOptionsModule.forRootAsync(options));
  }

  /** Makes repositories of these entities injectable: `@InjectTenantRepository(Order)`. */
  static forFeature(entities: Parameters<typeof TypeOrmModule.forFeature>[0]): DynamicModule {
    const feature = TypeOrmModule.forFeature(entities, TENANT_DATA_SOURCE);
    return { ...feature, providers: [entitiesCheck(entities), ...(feature.providers ?? []).map(mayMiss)] };
  }

  configure(consumer: MiddlewareConsumer): void {
    this.middleware.mount(consumer);
  }
}

/** What all that works on it needs. */
export const TENANCY = { module: TenancyModule, options: STORE_MAKER };

function compose(optionsModule: DynamicModule): DynamicModule {
  return {
    module: TenancyModule,
    global: true,
    imports: [optionsModule, ...folders],
    providers: [StartState, { provide: STORE_MAKER, useExisting: ModuleRef }],
    exports: [STORE_MAKER, ...folders],
  };
}
