import { API_KEY_SCHEME } from '../../access/openapi/api-key-scheme';
import { COMMON_ERRORS } from '../../access/openapi/calls';
import { describeApi } from '../../http/openapi/describe-api';
import { ERROR_FIELDS } from '../../http/openapi/fields';
import { TenantEventsController } from '../tenant-events.controller';
import { EVENT_CALLS, EVENT_MODELS, EVENT_QUERY_MODELS } from './event-models';

class EventsErrorModel {}

/** Describes `/tenant/events` to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function documentEventsApi(): void {
  describeApi({
    tag: 'Tenancy events',
    scheme: API_KEY_SCHEME,
    models: [
      ...EVENT_MODELS,
      ...EVENT_QUERY_MODELS,
      { type: EventsErrorModel, name: 'EventsError', fields: ERROR_FIELDS },
    ],
    tagged: [],
    gone: '',
    errorModel: EventsErrorModel,
    commonErrors: COMMON_ERRORS,
    controllers: [[TenantEventsController, EVENT_CALLS]],
  });
}
