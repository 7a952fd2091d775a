import { Controller, Get, UseInterceptors } from '@nestjs/common';
import { OwnSettingsInterceptor } from './own-settings.interceptor';
import { type SettingsSnapshot, TenantSettings } from './tenant-settings';

/** What the request's tenant may read of its settings. */
@Controller('tenant/settings')
@UseInterceptors(OwnSettingsInterceptor)
export class TenantSettingsController {
  constructor(private readonly settings: TenantSettings) {}

  @Get()
  list(): Promise<SettingsSnapshot> {
    return this.settings.list({ by: 'tenant' });
  }
}
