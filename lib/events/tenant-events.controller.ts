import {
  Controller,
  Get,
  Query,
  type StreamableFile,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { RequireScopes } from '../access/require-scopes.decorator';
import { AcceptedGuard, Accepts } from '../http/accepted.guard';
import { ApiValidationPipe } from '../http/api-validation.pipe';
import { FieldsInterceptor } from '../http/fields.interceptor';
import { EventTrail } from '../registry/events/event-trail';
import type { Tenant } from '../registry/tenant';
import { CurrentTenant } from '../resolution/http/current-tenant.decorator';
import { eventExport, type EventPage, eventPage } from './event-pages';
import { EventsFilterQuery, EventsQuery } from './events.dto';

/** What has happened to the request's tenant. */
@Controller('tenant/events')
@RequireScopes('events:read')
@UseGuards(AcceptedGuard)
@UseInterceptors(FieldsInterceptor)
@UsePipes(ApiValidationPipe)
export class TenantEventsController {
  constructor(private readonly trail: EventTrail) {}

  @Get()
  @Accepts({ query: EventsQuery })
  list(@CurrentTenant() { id }: Tenant, @Query() query: EventsQuery): Promise<EventPage> {
    return eventPage(this.trail, { tenantId: id }, query);
  }

  @Get('export')
  @Accepts({ query: EventsFilterQuery })
  export(@CurrentTenant() { id }: Tenant, @Query() query: EventsFilterQuery): Promise<StreamableFile> {
    return eventExport(this.trail, { tenantId: id }, query);
  }
}
