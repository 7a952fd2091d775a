import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Param,
  Patch,
  Post,
  Put,
  Query,
  UseGuards,
  UsePipes,
} from '@nestjs/common';
import { ValidationFailedError } from '../common/tenancy.errors';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { TenantProvisioner } from '../provisioning/tenant-provisioner';
import { TenantFree } from '../resolution/tenant-route.decorator';
import { TenantStore } from '../tenant/tenant.store';
import { AdminValidationPipe } from './admin-validation.pipe';
import { decodeCursor, encodeCursor } from './cursor';
import { MasterKeyGuard } from './master-key.guard';
import {
  CreateTenantBody,
  ListTenantsQuery,
  type TenantPage,
  type TenantView,
  toTenantView,
  TransitionBody,
  UpdateTenantBody,
} from './tenant.dto';

/** `:tenant` is an id or a slug. */
@Controller('admin/tenants')
@TenantFree()
@UseGuards(MasterKeyGuard)
@UsePipes(AdminValidationPipe)
export class TenantsController {
  constructor(
    private readonly provisioner: TenantProvisioner,
    private readonly lifecycle: TenantLifecycle,
    private readonly store: TenantStore,
  ) {}

  @Post()
  async create(@Body() body: CreateTenantBody): Promise<TenantView> {
    return toTenantView(await this.provisioner.create(body));
  }

  @Get()
  async list(@Query() { cursor, status, search, ...query }: ListTenantsQuery): Promise<TenantPage> {
    const limit = Number(query.limit);
    const afterId = cursor === undefined ? undefined : decodeCursor(cursor);
    // One more than asked for tells whether there is another page.
    const tenants = await this.store.list({ limit: limit + 1, afterId, status, search });
    const page = tenants.slice(0, limit);
    const last = page.at(-1);
    return {
      data: page.map(toTenantView),
      nextCursor: tenants.length > limit && last ? encodeCursor(last.id) : null,
    };
  }

  @Get(':tenant')
  async get(@Param('tenant') tenant: string): Promise<TenantView> {
    return toTenantView(await this.lifecycle.get(tenant));
  }

  @Patch(':tenant')
  async update(@Param('tenant') tenant: string, @Body() body: UpdateTenantBody): Promise<TenantView> {
    return toTenantView(await this.lifecycle.update(tenant, body));
  }

  @Post(':tenant/suspend')
  @HttpCode(HttpStatus.OK)
  async suspend(@Param('tenant') tenant: string, @Body() { reason }: TransitionBody): Promise<TenantView> {
    return toTenantView(await this.lifecycle.suspend(tenant, reason));
  }

  @Post(':tenant/activate')
  @HttpCode(HttpStatus.OK)
  async activate(@Param('tenant') tenant: string, @Body() { reason }: TransitionBody): Promise<TenantView> {
    return toTenantView(await this.lifecycle.activate(tenant, reason));
  }

  @Post(':tenant/restore')
  @HttpCode(HttpStatus.OK)
  async restore(@Param('tenant') tenant: string, @Body() { reason }: TransitionBody): Promise<TenantView> {
    return toTenantView(await this.lifecycle.restore(tenant, reason));
  }

  @Delete(':tenant')
  async delete(
    @Param('tenant') tenant: string,
    @Query() query: Record<string, unknown>,
  ): Promise<TenantView> {
    refuseQuery(query);
    return toTenantView(await this.lifecycle.delete(tenant));
  }

  @Put(':tenant/domains/:domain')
  async addDomain(@Param('tenant') tenant: string, @Param('domain') domain: string): Promise<TenantView> {
    return toTenantView(await this.lifecycle.addDomain(tenant, domain));
  }

  @Delete(':tenant/domains/:domain')
  async removeDomain(@Param('tenant') tenant: string, @Param('domain') domain: string): Promise<TenantView> {
    return toTenantView(await this.lifecycle.removeDomain(tenant, domain));
  }
}

/** A caller who asks for more than a quarantine must not believe that it was done. */
function refuseQuery(query: Record<string, unknown>): void {
  const errors = Object.keys(query).map((field) => ({ field, message: 'is not known here' }));
  if (errors.length > 0) throw new ValidationFailedError(errors);
}
