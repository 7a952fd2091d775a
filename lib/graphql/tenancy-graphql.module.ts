import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { TENANCY } from '../tenancy.module';
import { InvalidGraphqlOptionsError } from './graphql.errors';
import { CheckedGraphqlOptions, GRAPHQL_OPTIONS, type TenancyGraphqlOptions } from './graphql.options';
import { TenantSubscriptions } from './tenant-subscriptions';
import { TenantTopics } from './tenant-topics';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyGraphqlOptions>().setClassMethodName('forRoot').build();

/**
 * Tenants for subscriptions of GraphQL: `TenantSubscriptions` and `TenantTopics` can be injected everywhere. Import it
 * once, beside `TenancyModule`.
 */
@Global()
@Module({
  providers: checkedProviders(
    (): Type => TenancyGraphqlModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: GRAPHQL_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedGraphqlOptions,
        Refusal: InvalidGraphqlOptionsError,
      }),
      TenantSubscriptions,
      TenantTopics,
    ],
  ),
  exports: [TenantSubscriptions, TenantTopics],
})
export class TenancyGraphqlModule extends ConfigurableModuleClass {
  static override forRoot(options: TenancyGraphqlOptions = {}): DynamicModule {
    return super.forRoot(options);
  }
}
