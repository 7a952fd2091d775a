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
  Query,
  UseInterceptors,
} from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ValidationFailedError } from '../common/tenancy.errors';
import { Servers } from '../connection/servers/servers';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import { type CreateTenantOptions, TenantProvisioner } from '../provisioning/tenant-provisioner';
import { HalfMade } from '../provisioning/purge/half-made';
import { TenantPurge } from '../provisioning/purge/tenant-purge';
import type { Tenant } from '../registry/tenant';
import { TenantStore } from '../registry/store/tenant.store';
import { Accepts, PATCH_BODY } from '../http/accepted.guard';
import { AdminRoutes } from './admin-routes.decorator';
import { decodeCursor, type Page, pageOf } from '../http/cursor';
import { type Attempt, IdempotentAttempt } from '../http/idempotency-attempt';
import { IdempotencyKeys } from '../http/idempotency-keys';
import { SecretAnswer } from '../http/secret-answer.decorator';
import { ChangeRequest, type RequestedChange } from '../http/requested-change';
import { FirstKey, type TenantWithKey } from './first-key';
import { TenantAnswerInterceptor } from './tenant-answer.interceptor';
import { TenantConditions } from './tenant-conditions';
import {
  CreateTenantBody,
  DeleteTenantQuery,
  ListTenantsQuery,
  type TenantView,
  toTenantView,
  TransitionBody,
  UpdateTenantBody,
  withoutKeyText,
} from './tenant.dto';

/** `:tenant` is an id or a slug. Handlers return tenants; `TenantAnswerInterceptor` makes the body. */
@Controller('admin/tenants')
@AdminRoutes('tenants')
export class TenantsController {
  constructor(
    private readonly provisioner: TenantProvisioner,
    private readonly lifecycle: TenantLifecycle,
    private readonly purge: TenantPurge,
    private readonly store: TenantStore,
    private readonly keys: IdempotencyKeys,
    private readonly conditions: TenantConditions,
    private readonly firstKey: FirstKey,
    private readonly halfMade: HalfMade,
    private readonly servers: Servers,
  ) {}

  @Post()
  @Accepts({ body: CreateTenantBody })
  @SecretAnswer(withoutKeyText)
  @UseInterceptors(TenantAnswerInterceptor)
  async create(
    @Body() { apiKey, place, ...body }: CreateTenantBody,
    @ChangeRequest() { actor }: RequestedChange,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<TenantWithKey> {
    this.firstKey.require(apiKey);
    if (!apiKey) return this.#create(body, { actor, place }, attempt);
    // The tenant cannot be used without its key, so both are made in one transaction, or on another server before it commits.
    let apiKeyMade: TenantWithKey['apiKey'];
    const within = async (made: Tenant, manager: EntityManager) => {
      ({ apiKey: apiKeyMade } = await this.firstKey.addTo(made, actor, attempt, manager));
    };
    const tenant = await this.#create(body, { actor, place, within }, attempt);
    return apiKeyMade ? { ...tenant, apiKey: apiKeyMade } : this.firstKey.addTo(tenant, actor, attempt);
  }

  async #create(
    body: Omit<CreateTenantBody, 'apiKey' | 'place'>,
    by: CreateTenantOptions,
    attempt: Attempt | undefined,
  ): Promise<Tenant> {
    if (!attempt?.isRepeated) return this.provisioner.create(body, { ...by, id: attempt?.newId });
    // An earlier attempt may have made the tenant and ended before it could answer.
    const made = await this.#findMade(attempt.newId);
    if (made) return made;
    const { newId } = await this.keys.withNewId(attempt);
    return this.provisioner.create(body, { ...by, id: newId });
  }

  /** What the attempt left half-made is made active, or taken away, as the sweeper would do it. */
  async #findMade(id: string): Promise<Tenant | undefined> {
    const found = await this.store.find({ by: 'id', value: id });
    if (found?.status !== 'provisioning') return found;
    await this.halfMade.settle(found);
    return this.store.find({ by: 'id', value: id });
  }

  @Get()
  @Accepts({ query: ListTenantsQuery })
  async list(@Query() { cursor, ...query }: ListTenantsQuery): Promise<Page<TenantView>> {
    const limit = Number(query.limit);
    const afterId = cursor === undefined ? undefined : decodeCursor(cursor);
    const tenants = await this.store.list({ ...query, limit: limit + 1, afterId });
    // The registry may name one that the options do not, so tenants decide first.
    if (tenants.length === 0 && query.server !== undefined) this.#requireServer(query.server);
    return pageOf(tenants, limit, toTenantView);
  }

  #requireServer(server: string): void {
    const { names } = this.servers;
    if (names.includes(server)) return;
    throw new ValidationFailedError([{ field: 'server', message: `must be one of ${names.join(', ')}` }]);
  }

  @Get(':tenant')
  @UseInterceptors(TenantAnswerInterceptor)
  get(@Param('tenant') tenant: string): Promise<Tenant> {
    return this.lifecycle.get(tenant);
  }

  @Patch(':tenant')
  @Accepts({ body: UpdateTenantBody, as: PATCH_BODY })
  @UseInterceptors(TenantAnswerInterceptor)
  async update(
    @Param('tenant') tenant: string,
    @Body() body: UpdateTenantBody,
    @ChangeRequest() change: RequestedChange,
  ): Promise<Tenant> {
    const { reference, options } = await this.conditions.wanted(tenant, change);
    return this.lifecycle.update(reference, body, options);
  }

  @Post(':tenant/suspend')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: TransitionBody })
  @UseInterceptors(TenantAnswerInterceptor)
  async suspend(
    @Param('tenant') tenant: string,
    @Body() { reason }: TransitionBody,
    @ChangeRequest() change: RequestedChange,
  ): Promise<Tenant> {
    const { reference, options } = await this.conditions.wanted(tenant, change, reason);
    return this.lifecycle.suspend(reference, options);
  }

  @Post(':tenant/activate')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: TransitionBody })
  @UseInterceptors(TenantAnswerInterceptor)
  async activate(
    @Param('tenant') tenant: string,
    @Body() { reason }: TransitionBody,
    @ChangeRequest() change: RequestedChange,
  ): Promise<Tenant> {
    const { reference, options } = await this.conditions.wanted(tenant, change, reason);
    return this.lifecycle.activate(reference, options);
  }

  @Post(':tenant/restore')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: TransitionBody })
  @UseInterceptors(TenantAnswerInterceptor)
  async restore(
    @Param('tenant') tenant: string,
    @Body() { reason }: TransitionBody,
    @ChangeRequest() change: RequestedChange,
  ): Promise<Tenant> {
    const { reference, options } = await this.conditions.wanted(tenant, change, reason);
    return this.lifecycle.restore(reference, options);
  }

  /** Deletes the tenant but keeps its schema; with `?purge=true` it is removed permanently: 204. */
  @Delete(':tenant')
  @Accepts({ query: DeleteTenantQuery })
  @UseInterceptors(TenantAnswerInterceptor)
  async delete(
    @Param('tenant') tenant: string,
    @Query() { purge, reason }: DeleteTenantQuery,
    @ChangeRequest() change: RequestedChange,
  ): Promise<Tenant | undefined> {
    if (purge === 'false') {
      const { reference, options } = await this.conditions.wanted(tenant, change, reason);
      return this.lifecycle.delete(reference, options);
    }
    if (reason !== undefined) {
      throw new ValidationFailedError([{ field: 'reason', message: 'cannot be given with purge=true' }]);
    }
    const { reference } = await this.conditions.met(tenant, change);
    await this.purge.purge(reference, { actor: change.actor });
  }
}
