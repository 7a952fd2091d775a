import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { DisabledEndpoint } from './webhook-lanes';

/** Leaves an event of an endpoint that is disabled because of what its receiver answers. */
@Injectable()
export class WebhookDisabling {
  note(_manager: EntityManager, _endpoint: DisabledEndpoint): Promise<void> {
    return Promise.resolve();
  }
}
