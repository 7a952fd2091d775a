import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { messageWithCause } from '../../common/error-message';
import { quoteIdentifier } from '../../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry';
import { registrySchema } from '../registry-schema';
import { recordEvent } from './event-outbox';
import type { NewEvent } from './tenant-event';

/** Records what has happened where no transaction of PostgreSQL is: a job that failed in Redis, a file that was written. */
@Injectable()
export class EventRecorder {
  readonly #logger = new Logger('Tenancy');

  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /** Never rejects: what has happened stands. That nobody could be told of it is in the log. */
  async tell(event: NewEvent): Promise<void> {
    try {
      await recordEvent(this.registry, quoteIdentifier(registrySchema(this.registry)), event);
    } catch (error) {
      this.#logger.warn(`The event "${event.type}" could not be recorded: ${messageWithCause(error)}`);
    }
  }
}
