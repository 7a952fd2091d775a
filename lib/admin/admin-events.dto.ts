import { EventsFilterQuery, EventsQuery } from '../events/events.dto';
import { IfGiven, IsString } from '../http/validation';

export class AdminEventsFilterQuery extends EventsFilterQuery {
  /** An id, a slug, or `none` for the events of no tenant. */
  @IfGiven()
  @IsString()
  tenant?: string;
}

export class AdminEventsQuery extends EventsQuery {
  @IfGiven()
  @IsString()
  tenant?: string;
}
