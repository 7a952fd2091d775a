import { Controller } from '@nestjs/common';
import { ApiKeys } from '../access/api-keys';
import { KeysController, type KeysOf } from '../access/keys.controller';
import type { ApiRequest } from '../http/api-request';
import { callerOf } from '../http/caller';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { AdminRoutes } from './admin-routes.decorator';

/** The API keys of any tenant, whatever its status. A master key may grant every scope. */
@Controller('admin/tenants/:tenant/keys')
@AdminRoutes('keys')
export class TenantApiKeysController extends KeysController {
  constructor(
    keys: ApiKeys,
    private readonly lifecycle: TenantLifecycle,
  ) {
    super(keys);
  }

  protected async keysOf(request: ApiRequest): Promise<KeysOf> {
    const { id } = await this.lifecycle.get(request.params?.tenant ?? '');
    return { tenantId: id, by: { actor: callerOf(request).name } };
  }
}
