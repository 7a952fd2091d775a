import { Inject, Injectable, Optional } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ACCESS_OPTIONS, type CheckedAccessOptions } from '../access/access.options';
import type { ShownApiKey } from '../access/api-key';
import { toApiKeyView } from '../access/api-key.dto';
import { ApiKeys } from '../access/api-keys';
import { ValidationFailedError } from '../common/tenancy.errors';
import type { Attempt } from '../http/idempotency-attempt';
import type { Tenant } from '../registry/tenant';

/** A tenant with the key that was made along with it. */
export type TenantWithKey = Tenant & { readonly apiKey?: ReturnType<typeof toApiKeyView> };

/** The key that a new tenant is given, where `TenancyAccessModule` is imported. */
@Injectable()
export class FirstKey {
  constructor(
    @Optional() private readonly keys?: ApiKeys,
    @Optional() @Inject(ACCESS_OPTIONS) private readonly options?: CheckedAccessOptions,
  ) {}

  /** Before anything is made. @throws ValidationFailedError where there are no keys */
  require(wanted: boolean | undefined): void {
    if (!wanted || this.keys) return;
    throw new ValidationFailedError([
      { field: 'apiKey', message: 'cannot be asked for: this application has no API keys' },
    ]);
  }

  /**
   * In the transaction of `manager`, if it is given. A repeated request is given the key that its first attempt has made, under another text.
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
      { actor, id: attempt?.newId, manager },
    )) as ShownApiKey;
    return { ...tenant, apiKey: toApiKeyView(key) };
  }
}
