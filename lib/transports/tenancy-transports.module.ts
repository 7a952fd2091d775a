import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { TENANCY } from '../tenancy.module';
import { MessageTenants } from './message-tenants';
import { TenantHandshakes } from './tenant-handshakes';
import { TenantInterceptor } from './tenant.interceptor';
import { TRANSPORTS_OPTIONS, type TenancyTransportsOptions } from './transports.options';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<TenancyTransportsOptions>({
  optionsInjectionToken: TRANSPORTS_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

/**
 * Tenants for gateways and microservices: makes `TenantInterceptor` and `TenantHandshakes` injectable everywhere.
 * Import it once, beside `TenancyModule`.
 */
@Global()
@Module({
  providers: checkedProviders(
    (): Type => TenancyTransportsModule,
    TRANSPORTS_OPTIONS,
    () => [TENANCY],
    [MessageTenants, TenantHandshakes, TenantInterceptor],
  ),
  exports: [MessageTenants, TenantHandshakes, TenantInterceptor],
})
export class TenancyTransportsModule extends ConfigurableModuleClass {
  static override forRoot(options: TenancyTransportsOptions = {}): DynamicModule {
    return super.forRoot(options);
  }
}
