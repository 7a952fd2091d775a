import { ConfigurableModuleBuilder, Module } from '@nestjs/common';
import { ADMIN_OPTIONS, type TenancyAdminOptions } from './admin.options';
import { MasterKeyGuard } from './master-key.guard';
import { TenantsController } from './tenants.controller';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<TenancyAdminOptions>({
  optionsInjectionToken: ADMIN_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

/**
 * The HTTP API under `/admin` that makes and manages tenants. Import it beside `TenancyModule`, which it works on.
 * It does not start without a master key of at least 32 characters.
 */
@Module({ controllers: [TenantsController], providers: [MasterKeyGuard] })
export class TenancyAdminModule extends ConfigurableModuleClass {}
