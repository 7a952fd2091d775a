import { ConfigurableModuleBuilder, type DynamicModule, Module, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { TENANCY } from '../tenancy.module';
import { DomainsController } from './domains.controller';
import { InvalidDomainsOptionsError } from './domains.errors';
import { CheckedDomainsOptions, DOMAINS_OPTIONS, type TenancyDomainsOptions } from './domains.options';
import { ServedHosts } from './served-hosts';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyDomainsOptions>().setClassMethodName('forRoot').build();

/** `GET /domains/ask`, for proxies that get certificates for tenants' own domains. Import it once, beside `TenancyModule`. */
@Module({
  controllers: [DomainsController],
  providers: checkedProviders(
    (): Type => TenancyDomainsModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: DOMAINS_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedDomainsOptions,
        Refusal: InvalidDomainsOptionsError,
      }),
      ServedHosts,
    ],
  ),
  exports: [ServedHosts],
})
export class TenancyDomainsModule extends ConfigurableModuleClass {
  static override forRoot(options: TenancyDomainsOptions = {}): DynamicModule {
    return super.forRoot(options);
  }
}
