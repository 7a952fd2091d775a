import { ConfigurableModuleBuilder, Module, type Type } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { TENANCY } from '../tenancy.module';
import { CountedRequests } from './counted-requests';
import { MemoryRateLimits } from './memory-rate-limits';
import { RateLimitStorage } from './rate-limit-storage';
import { RateLimitsOfTenants } from './rate-limits-of-tenants';
import { TenantThrottlerGuard } from './tenant-throttler.guard';
import { InvalidThrottlingOptionsError } from './throttling.errors';
import {
  CheckedThrottlingOptions,
  type TenancyThrottlingOptions,
  THROTTLING_OPTIONS,
} from './throttling.options';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyThrottlingOptions>().setClassMethodName('forRoot').build();

/**
 * Limits the rate of each tenant's requests, on all routes. Import it once, beside `TenancyModule`. Routes without a
 * tenant are not limited.
 */
@Module({
  providers: checkedProviders(
    (): Type => TenancyThrottlingModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: THROTTLING_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedThrottlingOptions,
        Refusal: InvalidThrottlingOptionsError,
      }),
      {
        provide: RateLimitStorage,
        inject: [THROTTLING_OPTIONS],
        useFactory: ({ storage }: CheckedThrottlingOptions) => storage ?? new MemoryRateLimits(),
      },
      RateLimitsOfTenants,
      CountedRequests,
      { provide: APP_GUARD, useClass: TenantThrottlerGuard },
    ],
  ),
})
export class TenancyThrottlingModule extends ConfigurableModuleClass {}
