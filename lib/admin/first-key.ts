import { Inject, Injectable, Optional } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ACCESS_OPTIONS, type CheckedAccessOptions } from '../access/access.options';
import type { ShownApiKey } from '../access/api-key';
import { toApiKeyView } from '../access/api-key.dto';
import { ApiKeys } from '../access/api-keys';
import { ValidationFailedError } from '../common/tenancy.errors';
import type { Attempt } from '../http/idempotency-attempt';
import { isBesideRegistry } from '../placement/place';
import type { Tenant } from '../registry/tenant';

/** A tenant with the key that was made together with it. */
export type TenantWithKey = Tenant & { readonly apiKey?: ReturnType<typeof toApiKeyView> };

/** Makes the first key of a new tenant, if `TenancyAccessModule` is imported. */
@Injectable()
export class FirstKey {
  constructor(
    @Optional() private readonly keys?: ApiKeys,
    @Optional() @Inject(ACCESS_OPTIONS) private readonly options?: CheckedAccessOptions,
  ) {}

  /** Call it before anything is made. @throws ValidationFailedError when the application has no API keys */
  require(wanted: boolean | undefined): void {
    if (!wanted || this.keys) return;
    throw new ValidationFailedError([
      { field: 'apiKey', message: 'cannot be requested: this application has no API keys' },
    ]);
  }

  /**
   * Makes the key, in the transaction of `manager` if there is one and it is where the keys are: of a tenant on another
   * server than the registry's the key is committed first, and taken away again when the tenant is. With an
   * `Idempotency-Key` it has the id of the tenant, whichever attempt made that: so the next attempt finds it, and gives it a
   * new text.
   */
  async addTo(
    tenant: Tenant,
    actor: string,
    attempt: Attempt | undefined,
    manager?: EntityManager,
  ): Promise<TenantWithKey> {
    const key = (await this.keys?.create(
      tenant.id,
      { name: 'first key', scopes: this.options?.firstKeyScopes },
      {
        actor,
        id: attempt && tenant.id,
        manager: isBesideRegistry(tenant) ? manager : undefined,
      },
    )) as ShownApiKey;
    return { ...tenant, apiKey: toApiKeyView(key) };
  }
}
