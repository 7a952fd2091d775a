import { Body, Controller, Delete, Get, Param, Put, UseInterceptors } from '@nestjs/common';
import { Accepts } from '../http/accepted.guard';
import { versionsMatching } from '../http/etag';
import { ChangeRequest, type RequestedChange } from '../http/requested-change';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { SettingNotFoundError } from '../settings/settings.errors';
import { type SettingChangeOptions, TenantSettings } from '../settings/tenant-settings';
import type { Tenant } from '../registry/tenant';
import { AdminRoutes } from './admin-routes.decorator';
import { type AskedSettings, SetSettingBody } from './setting.dto';
import { SettingsAnswerInterceptor } from './settings-answer.interceptor';

/**
 * The settings of any tenant, stored by `TenancySettingsModule`. Handlers return all of them;
 * `SettingsAnswerInterceptor` picks the requested one.
 */
@Controller('admin/tenants')
@AdminRoutes('settings')
@UseInterceptors(SettingsAnswerInterceptor)
export class SettingsController {
  constructor(
    private readonly lifecycle: TenantLifecycle,
    private readonly settings: TenantSettings,
  ) {}

  @Get(':tenant/settings')
  async list(@Param('tenant') reference: string): Promise<AskedSettings> {
    return this.settings.list({ tenant: await this.lifecycle.get(reference) });
  }

  @Get(':tenant/settings/:setting')
  async get(@Param('tenant') reference: string, @Param('setting') only: string): Promise<AskedSettings> {
    const tenant = await this.#tenant(reference, only);
    return { ...(await this.settings.list({ tenant })), only };
  }

  @Put(':tenant/settings/:setting')
  @Accepts({ body: SetSettingBody })
  async set(
    @Param('tenant') reference: string,
    @Param('setting') only: string,
    @Body() { value }: SetSettingBody,
    @ChangeRequest() change: RequestedChange,
  ): Promise<AskedSettings> {
    const options = await this.#wanted(await this.#tenant(reference, only), change);
    return { ...(await this.settings.set(only, value, options)), only };
  }

  @Delete(':tenant/settings/:setting')
  async reset(
    @Param('tenant') reference: string,
    @Param('setting') only: string,
    @ChangeRequest() change: RequestedChange,
  ): Promise<AskedSettings> {
    const options = await this.#wanted(await this.#tenant(reference, only), change);
    return { ...(await this.settings.reset(only, options)), only };
  }

  /**
   * @throws TenantNotFoundError when there is no such tenant
   * @throws SettingNotFoundError when the key was not declared
   */
  async #tenant(reference: string, key: string): Promise<Tenant> {
    const tenant = await this.lifecycle.get(reference);
    if (!this.settings.has(key)) throw new SettingNotFoundError();
    return tenant;
  }

  async #wanted(tenant: Tenant, { actor, ifMatch }: RequestedChange): Promise<SettingChangeOptions> {
    if (ifMatch === undefined) return { tenant, actor };
    return { tenant, actor, ifVersion: versionsMatching(ifMatch, await this.settings.list({ tenant })) };
  }
}
