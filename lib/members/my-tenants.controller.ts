import { Controller, Get, Query, UseGuards, UsePipes } from '@nestjs/common';
import { CurrentPrincipal } from '../access/current-principal.decorator';
import type { Principal } from '../access/principal';
import { Accepts, AcceptedGuard } from '../http/accepted.guard';
import { ApiValidationPipe } from '../http/api-validation.pipe';
import { type Page, readPage, type RowsOfPage } from '../http/cursor';
import { PageQuery } from '../http/page-query';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import type { Tenant } from '../registry/tenant';
import { TenantFree } from '../resolution/http/tenant-route.decorator';
import { TenantResolution } from '../resolution/tenant-resolution';
import { KnownMembers } from './known-members';
import type { Member } from './member';
import { MemberRoles } from './member-roles';
import { MembersService } from './members.service';

/** A tenant that somebody may work in, and as what. */
export interface MyTenantView {
  readonly tenant: Pick<Tenant, 'id' | 'slug' | 'name' | 'domains'>;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly joinedAt: Date;
}

export interface MyTenantsView extends Page<MyTenantView> {
  /**
   * The headers by which a request says for which of them it is: `x-tenant-id` with the slug or the id, `Host` with a
   * domain. Empty where the path says it.
   */
  readonly chosenBy: readonly string[];
}

/** Tells the holder of a token where they are a member. */
@Controller('me/tenants')
@TenantFree()
@UseGuards(AcceptedGuard)
@UsePipes(ApiValidationPipe)
export class MyTenantsController {
  constructor(
    private readonly members: MembersService,
    private readonly known: KnownMembers,
    private readonly roles: MemberRoles,
    private readonly tenants: TenantLookup,
    private readonly resolution: TenantResolution,
  ) {}

  /** A page may be short, or empty, and have another one behind it: tenants that are not active are left out. */
  @Get()
  @Accepts({ query: PageQuery })
  async list(@CurrentPrincipal() principal: Principal, @Query() query: PageQuery): Promise<MyTenantsView> {
    // A key, and who has entered for support, is of one tenant and nobody's membership.
    const subject = principal.type === 'access_token' ? this.known.subjectOf(principal.claims()) : undefined;
    const find = async (rows: RowsOfPage) => (subject ? this.members.listOf(subject, rows) : []);
    const { data, nextCursor } = await readPage(query, find, (member) => member);
    const views = await Promise.all(data.map((member) => this.#view(member)));
    return {
      data: views.filter((view) => view !== undefined),
      nextCursor,
      chosenBy: this.resolution.chosenBy,
    };
  }

  async #view({ tenantId, status, joinedAt, ...rights }: Member): Promise<MyTenantView | undefined> {
    const found = await this.tenants.find({ by: 'id', value: tenantId });
    if (found?.status !== 'active' || status !== 'active') return undefined;
    const { id, slug, name, domains } = found;
    const roles = this.roles.counting(rights.roles, found);
    const scopes = this.roles.scopesOf({ roles, scopes: rights.scopes });
    return { tenant: { id, slug, name, domains }, roles, scopes, joinedAt };
  }
}
