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
import { Accepts, PATCH_BODY } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import { type Page, readPage } from '../../http/cursor';
import { ifVersionOf } from '../../http/etag';
import { type Attempt, IdempotentAttempt } from '../../http/idempotency-attempt';
import { PageQuery } from '../../http/page-query';
import { SecretAnswer } from '../../http/secret-answer.decorator';
import type { ShownWebhookEndpoint, WebhookEndpoint } from '../webhook-endpoint';
import { WebhookEndpointAnswerInterceptor } from './webhook-endpoint-answer.interceptor';
import {
  CreateWebhookEndpointBody,
  RotateWebhookSecretBody,
  toWebhookEndpointView,
  UpdateWebhookEndpointBody,
  type WebhookEndpointView,
  withoutSecret,
} from './webhook-endpoint.dto';
import type { WebhookEndpointChangeOptions, WebhookEndpoints } from './webhook-endpoints';

/** The tenant whose endpoints a request is about, and the caller. */
export interface WebhooksOf {
  readonly tenantId: string;
  readonly actor: string;
}

/**
 * The calls about endpoints, for every controller that offers them. Handlers return endpoints;
 * `WebhookEndpointAnswerInterceptor` makes the body.
 */
export abstract class WebhookEndpointsController {
  constructor(protected readonly endpoints: WebhookEndpoints) {}

  /** @throws TenantNotFoundError when there is no such tenant */
  protected abstract webhooksOf(request: ApiRequest): WebhooksOf | Promise<WebhooksOf>;

  @Post()
  @Accepts({ body: CreateWebhookEndpointBody })
  @SecretAnswer(withoutSecret)
  @UseInterceptors(WebhookEndpointAnswerInterceptor)
  async create(
    @Req() request: ApiRequest,
    @Body() body: CreateWebhookEndpointBody,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<ShownWebhookEndpoint> {
    const { tenantId, actor } = await this.webhooksOf(request);
    return this.endpoints.create(tenantId, body, { actor, id: attempt?.newId });
  }

  @Get()
  @Accepts({ query: PageQuery })
  async list(@Req() request: ApiRequest, @Query() query: PageQuery): Promise<Page<WebhookEndpointView>> {
    const { tenantId } = await this.webhooksOf(request);
    return readPage(query, (rows) => this.endpoints.list(tenantId, rows), toWebhookEndpointView);
  }

  @Get(':endpoint')
  @UseInterceptors(WebhookEndpointAnswerInterceptor)
  async get(@Req() request: ApiRequest, @Param('endpoint') id: string): Promise<WebhookEndpoint> {
    const { tenantId } = await this.webhooksOf(request);
    return this.endpoints.get(tenantId, id);
  }

  @Patch(':endpoint')
  @Accepts({ body: UpdateWebhookEndpointBody, as: PATCH_BODY })
  @UseInterceptors(WebhookEndpointAnswerInterceptor)
  async update(
    @Req() request: ApiRequest,
    @Param('endpoint') id: string,
    @Body() body: UpdateWebhookEndpointBody,
  ): Promise<WebhookEndpoint> {
    const { tenantId, options } = await this.#change(request, id);
    return this.endpoints.update(tenantId, id, body, options);
  }

  @Post(':endpoint/rotate-secret')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: RotateWebhookSecretBody })
  @SecretAnswer(withoutSecret)
  @UseInterceptors(WebhookEndpointAnswerInterceptor)
  async rotateSecret(
    @Req() request: ApiRequest,
    @Param('endpoint') id: string,
    @Body() { overlapMs, reason }: RotateWebhookSecretBody,
  ): Promise<ShownWebhookEndpoint> {
    const { tenantId, options } = await this.#change(request, id);
    return this.endpoints.rotateSecret(tenantId, id, { ...options, overlapMs, reason });
  }

  @Delete(':endpoint')
  @HttpCode(HttpStatus.NO_CONTENT)
  async remove(@Req() request: ApiRequest, @Param('endpoint') id: string): Promise<void> {
    const { tenantId, options } = await this.#change(request, id);
    await this.endpoints.delete(tenantId, id, options);
  }

  async #change(
    request: ApiRequest,
    id: string,
  ): Promise<{ tenantId: string; options: WebhookEndpointChangeOptions }> {
    const { tenantId, actor } = await this.webhooksOf(request);
    return { tenantId, options: { actor, ifVersion: ifVersionOf(request, id) } };
  }
}
