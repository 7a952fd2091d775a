import { Injectable } from '@nestjs/common';
import { uuidV7 } from '../../common/uuid-v7';
import { isUuid } from '../../registry/claim';
import { RegistryTime } from '../../registry/registry-time';
import type { WebhookAttempt, WebhookDelivery } from '../webhook-delivery';
import {
  WebhookDeliveryNotFoundError,
  WebhookDisabledError,
  WebhookEndpointNotFoundError,
} from './deliveries.errors';
import {
  type DeliveryListOptions,
  DeliveryRows,
  type EndpointSummary,
  type WaitingDeliveries,
} from './delivery-rows';
import { DeliveryWorker } from './delivery-worker';
import { payloadOf } from './webhook-payload';

/** A delivery with all requests that were sent for it. */
export interface WebhookDeliveryDetails extends WebhookDelivery {
  /** The first one first. */
  readonly attempts: readonly WebhookAttempt[];
}

export interface ResendSinceOptions {
  /** Deliveries that were made at this time or later. */
  readonly since: Date;
  /** `dead`: those that were given up. `delivered`: those that have arrived, for a receiver that has lost them. Default `dead`. */
  readonly status?: 'dead' | 'delivered';
}

/** The type of the event that `test()` sends. */
export const TEST_TYPE = 'webhook.test';

/** What was sent to the endpoints of tenants, and what is to be sent again. */
@Injectable()
export class WebhookDeliveries {
  constructor(
    private readonly rows: DeliveryRows,
    private readonly worker: DeliveryWorker,
    private readonly time: RegistryTime,
  ) {}

  /** The latest first. @throws WebhookEndpointNotFoundError */
  async list(tenantId: string, endpointId: string, options: DeliveryListOptions): Promise<WebhookDelivery[]> {
    await this.#isEnabled(tenantId, endpointId);
    return this.rows.list({ tenantId, endpointId }, options);
  }

  /** @throws WebhookEndpointNotFoundError, WebhookDeliveryNotFoundError */
  async get(tenantId: string, endpointId: string, id: string): Promise<WebhookDeliveryDetails> {
    await this.#isEnabled(tenantId, endpointId);
    const delivery = isUuid(id) ? await this.rows.find({ tenantId, endpointId }, id) : undefined;
    if (!delivery) throw new WebhookDeliveryNotFoundError();
    return { ...delivery, attempts: await this.rows.attempts(id) };
  }

  /**
   * Sends a delivery again, whatever has become of it, with the same `webhook-id`. The times of its attempts begin anew.
   *
   * @throws WebhookEndpointNotFoundError, WebhookDeliveryNotFoundError, WebhookDisabledError
   */
  async resend(tenantId: string, endpointId: string, id: string): Promise<WebhookDelivery> {
    await this.#mustBeEnabled(tenantId, endpointId);
    const delivery = isUuid(id) ? await this.rows.resend({ tenantId, endpointId }, id) : undefined;
    if (!delivery) throw new WebhookDeliveryNotFoundError();
    this.worker.wake();
    return delivery;
  }

  /**
   * Sends all deliveries of a status again that were made since then, and returns how many these are.
   *
   * @throws WebhookEndpointNotFoundError, WebhookDisabledError
   */
  async resendSince(
    tenantId: string,
    endpointId: string,
    { since, status = 'dead' }: ResendSinceOptions,
  ): Promise<number> {
    await this.#mustBeEnabled(tenantId, endpointId);
    const count = await this.rows.resendSince({ tenantId, endpointId }, since, status);
    this.worker.wake();
    return count;
  }

  /**
   * Sends an event `webhook.test` to one endpoint, whatever types it wants.
   *
   * @throws WebhookEndpointNotFoundError, WebhookDisabledError
   */
  async test(tenantId: string, endpointId: string, id = uuidV7()): Promise<WebhookDelivery> {
    await this.#mustBeEnabled(tenantId, endpointId);
    const occurredAt = this.time.now();
    const payload = payloadOf({ id, type: TEST_TYPE, occurredAt, subject: endpointId, data: {} });
    await this.rows.add([{ id, endpointId, tenantId, eventId: id, type: TEST_TYPE, payload }]);
    this.worker.wake();
    const delivery = await this.rows.find({ tenantId, endpointId }, id);
    if (!delivery) throw new WebhookDisabledError();
    return delivery;
  }

  /** The endpoints of a tenant, with how much waits for each and how much was given up. */
  summarize(tenantId: string): Promise<EndpointSummary[]> {
    return this.rows.summarize(tenantId);
  }

  /** What waits in the whole registry. @throws TenancyUnavailableError */
  waiting(): Promise<WaitingDeliveries> {
    return this.rows.waiting();
  }

  async #isEnabled(tenantId: string, endpointId: string): Promise<boolean> {
    const isEnabled = isUuid(endpointId) ? await this.rows.isEnabled({ tenantId, endpointId }) : undefined;
    if (isEnabled === undefined) throw new WebhookEndpointNotFoundError();
    return isEnabled;
  }

  async #mustBeEnabled(tenantId: string, endpointId: string): Promise<void> {
    if (!(await this.#isEnabled(tenantId, endpointId))) throw new WebhookDisabledError();
  }
}
