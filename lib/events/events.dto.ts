import { IfGiven, IsIn, IsString, Matches } from '../http/validation';
import { PageQuery } from '../http/page-query';

/** A day, or a time with its zone. What is no date by the calendar is refused where it is read. */
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** Which events. `filterOf()` checks what the fields mean. */
export class EventsFilterQuery {
  @IfGiven()
  @Matches(/^[a-z0-9.*,-]{1,2000}$/, {
    message: 'must be types such as order.shipped or order.*, separated by commas',
  })
  type?: string;

  @IfGiven()
  @Matches(/^[a-z][a-z0-9-]{0,49}(?::\P{Cc}{1,300})?$/u, {
    message: 'must be a type of actor, such as api-key, or api-key:<id>',
  })
  actor?: string;

  @IfGiven()
  @Matches(TIME, { message: 'must be a day or a time in ISO 8601' })
  from?: string;

  @IfGiven()
  @Matches(TIME, { message: 'must be a day or a time in ISO 8601' })
  to?: string;
}

export class EventsQuery extends EventsFilterQuery implements PageQuery {
  @Matches(/^(?:[1-9]\d?|100)$/, { message: 'must be an integer from 1 to 100' })
  limit = '50';

  @IfGiven()
  @IsString()
  cursor?: string;

  /** `asc`: the first first. */
  @IsIn(['asc', 'desc'])
  order: 'asc' | 'desc' = 'desc';
}
