import { Injectable } from '@nestjs/common';
import { type Tenant, TenantProvisioner } from 'nestjs-tenancy';
import { ApiKeys } from 'nestjs-tenancy/access';
import type { EntityManager } from 'typeorm';
import { FIRST_KEY_SCOPES } from '../tenants/scopes';
import type { SignedUpDto, SignUpDto } from './sign-up.dto';

const actor = 'sign-up';

@Injectable()
export class SignUpService {
  constructor(
    private readonly provisioner: TenantProvisioner,
    private readonly keys: ApiKeys,
  ) {}

  /** @throws ValidationFailedError, TenantSlugTakenError, TenantSlugReservedError */
  async signUp({ slug, name }: SignUpDto): Promise<SignedUpDto> {
    let apiKey = '';
    // In one transaction: without a key nobody could use the tenant, and its slug would be taken.
    const within = async (tenant: Tenant, manager: EntityManager) => {
      const input = { name: 'first key', scopes: FIRST_KEY_SCOPES };
      ({ key: apiKey } = await this.keys.create(tenant.id, input, { actor, manager }));
    };
    const tenant = await this.provisioner.create({ slug, name }, { actor, within });
    return { id: tenant.id, slug: tenant.slug, name: tenant.name, apiKey };
  }
}
