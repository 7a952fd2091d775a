import { Injectable } from '@nestjs/common';
import { type Tenant, TenantLifecycle, TenantProvisioner, TenantPurge } from 'nestjs-tenancy';
import { ApiKeys } from 'nestjs-tenancy/access';
import { FIRST_KEY_SCOPES } from '../tenants/scopes';
import type { SignedUpDto, SignUpDto } from './sign-up.dto';

const ACTOR = 'sign-up';

@Injectable()
export class SignUpService {
  constructor(
    private readonly provisioner: TenantProvisioner,
    private readonly keys: ApiKeys,
    private readonly lifecycle: TenantLifecycle,
    private readonly purge: TenantPurge,
  ) {}

  /** @throws ValidationFailedError, TenantSlugTakenError, TenantSlugReservedError */
  async signUp({ slug, name }: SignUpDto): Promise<SignedUpDto> {
    const tenant = await this.provisioner.create({ slug, name }, { actor: ACTOR });
    const apiKey = await this.#firstKeyOf(tenant);
    return { id: tenant.id, slug: tenant.slug, name: tenant.name, apiKey };
  }

  async #firstKeyOf({ id }: Tenant): Promise<string> {
    try {
      const input = { name: 'first key', scopes: FIRST_KEY_SCOPES };
      const { key } = await this.keys.create(id, input, { actor: ACTOR });
      return key;
    } catch (error) {
      // Without a key nobody could use the tenant, and its slug would be taken.
      await this.lifecycle.delete(id, { actor: ACTOR, reason: 'no first key' });
      await this.purge.purge(id, { actor: ACTOR });
      throw error;
    }
  }
}
