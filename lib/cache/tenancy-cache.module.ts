import { ConfigurableModuleBuilder, Global, Module, type Provider, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { TENANCY } from '../tenancy.module';
import { InvalidCacheOptionsError } from './cache.errors';
import { CACHE_OPTIONS, CheckedCacheOptions, type TenancyCacheOptions } from './cache.options';
import { CacheStore } from './cache-store';
import { DeadGenerations } from './dead-generations';
import { TenantCache } from './tenant-cache';
import { TenantGenerations } from './tenant-generations';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<TenancyCacheOptions>()
  .setClassMethodName('forRoot')
  .build();

const providers: Provider[] = checkedProviders(
  (): Type => TenancyCacheModule,
  MODULE_OPTIONS_TOKEN,
  () => [TENANCY],
  [
    optionsProvider({
      provide: CACHE_OPTIONS,
      given: MODULE_OPTIONS_TOKEN,
      declared: CheckedCacheOptions,
      Refusal: InvalidCacheOptionsError,
    }),
    CacheStore,
    DeadGenerations,
    TenantGenerations,
    TenantCache,
  ],
);

/** A cache for each tenant. Import it once, beside `TenancyModule` and Nest's `CacheModule`. */
@Global()
@Module({ providers, exports: [TenantCache, CACHE_OPTIONS] })
export class TenancyCacheModule extends ConfigurableModuleClass {}
