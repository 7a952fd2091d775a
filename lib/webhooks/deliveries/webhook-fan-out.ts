import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { uuidV7 } from '../../common/uuid-v7';
import { EventFollower } from '../../events/event-follower';
import { matchesType } from '../../events/type-patterns';
import type { TenantEvent } from '../../registry/events/tenant-event';
import { DeliveryRows, type NewDelivery } from './delivery-rows';
import { DeliveryWorker } from './delivery-worker';
import { payloadOf } from './webhook-payload';

/** How many events one call takes, and how many deliveries one statement adds: with payloads of 64 KiB, some 6 MB. */
const BATCH = 100;

/** After these a tenant is sent again what was kept for it. */
const ACTIVE_AGAIN = ['tenant.activated', 'tenant.restored'];

/** Makes deliveries of the events of the trail: one for each endpoint of the tenant that wants the event. */
@Injectable()
export class WebhookFanOut implements OnApplicationBootstrap {
  constructor(
    private readonly rows: DeliveryRows,
    private readonly worker: DeliveryWorker,
    private readonly follower: EventFollower,
  ) {}

  onApplicationBootstrap(): void {
    this.follower.follow({ name: 'webhooks', as: 'system', batch: BATCH }, (events) => this.take(events));
  }

  /** May be called with the same events again: a delivery is made once. */
  async take(events: readonly TenantEvent[]): Promise<void> {
    const tenantIds = new Set(events.flatMap(({ tenantId }) => (tenantId === null ? [] : [tenantId])));
    const subscribers = await this.rows.subscribers([...tenantIds]);
    const deliveries: NewDelivery[] = [];
    for (const event of events) {
      // What happened before an endpoint was made is not news to it.
      const wanted = subscribers.filter(
        ({ tenantId, types, createdAt }) =>
          tenantId === event.tenantId && createdAt <= event.occurredAt && matchesType(event.type, types),
      );
      const payload = wanted.length > 0 ? payloadOf(event) : '';
      for (const { id: endpointId, tenantId } of wanted) {
        deliveries.push({
          ...{ id: uuidV7(), endpointId, tenantId },
          ...{ eventId: event.id, type: event.type, payload },
        });
        if (deliveries.length === BATCH) await this.rows.add(deliveries.splice(0));
      }
    }
    if (deliveries.length > 0) await this.rows.add(deliveries);
    const isActiveAgain = events.filter(({ type }) => ACTIVE_AGAIN.includes(type));
    if (isActiveAgain.length > 0)
      await this.rows.release({ tenantIds: isActiveAgain.map(({ tenantId }) => tenantId!) });
    if (subscribers.length > 0 || isActiveAgain.length > 0) this.worker.wake();
  }
}
