import {
  Body,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Param,
  Patch,
  Post,
  Query,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import { Accepts, PATCH_BODY } from '../http/accepted.guard';
import type { ApiRequest } from '../http/api-request';
import { type Page, readPage } from '../http/cursor';
import { ifVersionOf } from '../http/etag';
import { type Attempt, IdempotentAttempt } from '../http/idempotency-attempt';
import { PageQuery } from '../http/page-query';
import { SecretAnswer } from '../http/secret-answer.decorator';
import type { ApiKey, ShownApiKey } from './api-key';
import { ApiKeyAnswerInterceptor } from './api-key-answer.interceptor';
import {
  ApiKeyReasonBody,
  type ApiKeyView,
  CreateApiKeyBody,
  RotateApiKeyBody,
  toApiKeyView,
  UpdateApiKeyBody,
  withoutText,
} from './api-key.dto';
import type { ApiKeyChangeOptions, ApiKeys, ApiKeyWriteOptions } from './api-keys';

/** The tenant whose keys a request is about, and the caller. */
export interface KeysOf {
  readonly tenantId: string;
  readonly by: Pick<ApiKeyWriteOptions, 'actor' | 'grantedBy'>;
}

/**
 * The calls about keys, for every controller that offers them. Handlers return keys; `ApiKeyAnswerInterceptor` makes
 * the body.
 */
export abstract class KeysController {
  constructor(protected readonly keys: ApiKeys) {}

  /** @throws TenantNotFoundError when there is no such tenant */
  protected abstract keysOf(request: ApiRequest): KeysOf | Promise<KeysOf>;

  @Post()
  @Accepts({ body: CreateApiKeyBody })
  @SecretAnswer(withoutText)
  @UseInterceptors(ApiKeyAnswerInterceptor)
  async create(
    @Req() request: ApiRequest,
    @Body() body: CreateApiKeyBody,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<ShownApiKey> {
    const { tenantId, by } = await this.keysOf(request);
    return this.keys.create(tenantId, body, { ...by, id: attempt?.newId });
  }

  @Get()
  @Accepts({ query: PageQuery })
  async list(@Req() request: ApiRequest, @Query() query: PageQuery): Promise<Page<ApiKeyView>> {
    const { tenantId } = await this.keysOf(request);
    return readPage(query, (rows) => this.keys.list(tenantId, rows), toApiKeyView);
  }

  @Get(':key')
  @UseInterceptors(ApiKeyAnswerInterceptor)
  async get(@Req() request: ApiRequest, @Param('key') id: string): Promise<ApiKey> {
    const { tenantId } = await this.keysOf(request);
    return this.keys.get(tenantId, id);
  }

  @Patch(':key')
  @Accepts({ body: UpdateApiKeyBody, as: PATCH_BODY })
  @UseInterceptors(ApiKeyAnswerInterceptor)
  async update(
    @Req() request: ApiRequest,
    @Param('key') id: string,
    @Body() body: UpdateApiKeyBody,
  ): Promise<ApiKey> {
    const { tenantId, options } = await this.#change(request, id);
    return this.keys.update(tenantId, id, body, options);
  }

  @Post(':key/block')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: ApiKeyReasonBody })
  @UseInterceptors(ApiKeyAnswerInterceptor)
  async block(
    @Req() request: ApiRequest,
    @Param('key') id: string,
    @Body() { reason }: ApiKeyReasonBody,
  ): Promise<ApiKey> {
    const { tenantId, options } = await this.#change(request, id);
    return this.keys.block(tenantId, id, { ...options, reason });
  }

  @Post(':key/unblock')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: ApiKeyReasonBody })
  @UseInterceptors(ApiKeyAnswerInterceptor)
  async unblock(
    @Req() request: ApiRequest,
    @Param('key') id: string,
    @Body() { reason }: ApiKeyReasonBody,
  ): Promise<ApiKey> {
    const { tenantId, options } = await this.#change(request, id);
    return this.keys.unblock(tenantId, id, { ...options, reason });
  }

  @Post(':key/rotate')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: RotateApiKeyBody })
  @SecretAnswer(withoutText)
  @UseInterceptors(ApiKeyAnswerInterceptor)
  async rotate(
    @Req() request: ApiRequest,
    @Param('key') id: string,
    @Body() { overlapMs, reason }: RotateApiKeyBody,
  ): Promise<ShownApiKey> {
    const { tenantId, options } = await this.#change(request, id);
    return this.keys.rotate(tenantId, id, { ...options, overlapMs, reason });
  }

  /** Cannot be undone. */
  @Delete(':key')
  @UseInterceptors(ApiKeyAnswerInterceptor)
  async revoke(@Req() request: ApiRequest, @Param('key') id: string): Promise<ApiKey> {
    const { tenantId, options } = await this.#change(request, id);
    return this.keys.revoke(tenantId, id, options);
  }

  async #change(
    request: ApiRequest,
    id: string,
  ): Promise<{ tenantId: string; options: ApiKeyChangeOptions }> {
    const { tenantId, by } = await this.keysOf(request);
    return { tenantId, options: { ...by, ifVersion: ifVersionOf(request, id) } };
  }
}
