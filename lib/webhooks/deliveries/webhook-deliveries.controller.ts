import { Body, Get, HttpCode, HttpStatus, Param, Post, Query, Req } from '@nestjs/common';
import { Accepts } from '../../http/accepted.guard';
import type { ApiRequest } from '../../http/api-request';
import { type Page, readPage, type RowsOfPage } from '../../http/cursor';
import { type Attempt, IdempotentAttempt } from '../../http/idempotency-attempt';
import type { WebhookDelivery } from '../webhook-delivery';
import { DeliveriesQuery, ResendWebhooksBody, timeOf } from './delivery.dto';
import type { WebhookDeliveries, WebhookDeliveryDetails } from './webhook-deliveries';

/** The calls about what was sent to an endpoint, for every controller that offers them. */
export abstract class WebhookDeliveriesController {
  constructor(protected readonly deliveries: WebhookDeliveries) {}

  /** The id of the tenant that a request is about. @throws TenantNotFoundError when there is none */
  protected abstract tenantOf(request: ApiRequest): string | Promise<string>;

  @Get('deliveries')
  @Accepts({ query: DeliveriesQuery })
  async list(
    @Req() request: ApiRequest,
    @Param('endpoint') endpoint: string,
    @Query() { status, ...query }: DeliveriesQuery,
  ): Promise<Page<WebhookDelivery>> {
    const find = async ({ limit, afterId: beforeId }: RowsOfPage) =>
      this.deliveries.list(await this.tenantOf(request), endpoint, { status, limit, beforeId });
    return readPage(query, find, (delivery) => delivery);
  }

  @Get('deliveries/:delivery')
  async get(
    @Req() request: ApiRequest,
    @Param('endpoint') endpoint: string,
    @Param('delivery') delivery: string,
  ): Promise<WebhookDeliveryDetails> {
    return this.deliveries.get(await this.tenantOf(request), endpoint, delivery);
  }

  @Post('deliveries/:delivery/resend')
  @HttpCode(HttpStatus.OK)
  async resend(
    @Req() request: ApiRequest,
    @Param('endpoint') endpoint: string,
    @Param('delivery') delivery: string,
  ): Promise<WebhookDelivery> {
    return this.deliveries.resend(await this.tenantOf(request), endpoint, delivery);
  }

  @Post('resend')
  @HttpCode(HttpStatus.OK)
  @Accepts({ body: ResendWebhooksBody })
  async resendSince(
    @Req() request: ApiRequest,
    @Param('endpoint') endpoint: string,
    @Body() { since, status }: ResendWebhooksBody,
  ): Promise<{ readonly count: number }> {
    const options = { since: timeOf(since), status };
    return { count: await this.deliveries.resendSince(await this.tenantOf(request), endpoint, options) };
  }

  @Post('test')
  async test(
    @Req() request: ApiRequest,
    @Param('endpoint') endpoint: string,
    @IdempotentAttempt() attempt?: Attempt,
  ): Promise<WebhookDelivery> {
    return this.deliveries.test(await this.tenantOf(request), endpoint, attempt?.newId);
  }
}
