import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { recordEvent } from '../../registry/events/event-outbox';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import type { DisabledEndpoint } from './webhook-lanes';

/** Leaves the event `webhook.disabled` of an endpoint that is disabled because of what its receiver answers. */
@Injectable()
export class WebhookDisabling {
  readonly #logger = new Logger('Tenancy');

  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /** In the transaction in which it is disabled. */
  async note(manager: EntityManager, { id, tenantId, url, reason }: DisabledEndpoint): Promise<void> {
    const schema = quoteIdentifier(registrySchema(this.registry));
    // A URL may have a token in it.
    const data = { host: new URL(url).host, reason };
    await recordEvent(manager, schema, { tenantId, type: 'webhook.disabled', subject: id, data });
    this.#logger.warn(`The webhook endpoint ${id} was disabled: ${reason}`);
  }
}
