import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { TENANCY } from '../tenancy.module';
import { MessageTenants } from './message-tenants';
import { TenantHandshakes } from './tenant-handshakes';
import { TenantInterceptor } from './tenant.interceptor';
import { InvalidTransportsOptionsError } from './transports.errors';
import {
  CheckedTransportsOptions,
  type TenancyTransportsOptions,
  TRANSPORTS_OPTIONS,
} from './transports.options';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyTransportsOptions>().setClassMethodName('forRoot').build();

/**
 * Tenants for gateways and microservices: `TenantInterceptor` and `TenantHandshakes` can be injected everywhere. Import
 * it once, beside `TenancyModule`.
 */
@Global()
@Module({
  providers: checkedProviders(
    (): Type => TenancyTransportsModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: TRANSPORTS_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedTransportsOptions,
        Refusal: InvalidTransportsOptionsError,
      }),
      MessageTenants,
      TenantHandshakes,
      TenantInterceptor,
    ],
  ),
  exports: [MessageTenants, TenantHandshakes, TenantInterceptor],
})
export class TenancyTransportsModule extends ConfigurableModuleClass {
  static override forRoot(options: TenancyTransportsOptions = {}): DynamicModule {
    return super.forRoot(options);
  }
}
