import { Controller, Get } from '@nestjs/common';
import { CurrentTenant } from '../resolution/http/current-tenant.decorator';
import { TenantOptional } from '../resolution/http/tenant-route.decorator';
import type { Tenant } from '../registry/tenant';
import { CurrentPrincipal } from './current-principal.decorator';
import type { Principal } from './principal';

/** The answer of `GET /me`. */
export interface MeView extends Pick<Principal, 'type' | 'subject' | 'scopes'> {
  readonly tenantId: string | null;
  readonly tenant: Pick<Tenant, 'id' | 'slug' | 'name'> | null;
}

/** Tells the caller who they are, of which tenant, and what they may do. */
@Controller('me')
@TenantOptional()
export class MeController {
  @Get()
  me(
    @CurrentPrincipal() { type, subject, scopes, tenantId }: Principal,
    @CurrentTenant() tenant: Tenant | undefined,
  ): MeView {
    const shown = tenant && { id: tenant.id, slug: tenant.slug, name: tenant.name };
    return { tenantId: tenantId ?? null, type, subject, scopes, tenant: shown ?? null };
  }
}
