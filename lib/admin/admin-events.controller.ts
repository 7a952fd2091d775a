import { Controller, Get, Query, type StreamableFile } from '@nestjs/common';
import { eventExport, type EventPage, eventPage, tenantIdOf, type Whose } from '../events/event-pages';
import { Accepts } from '../http/accepted.guard';
import { EventTrail } from '../registry/events/event-trail';
import { TenantStore } from '../registry/store/tenant.store';
import { AdminRoutes } from './admin-routes.decorator';
import { AdminEventsFilterQuery, AdminEventsQuery } from './admin-events.dto';

/** What has happened to tenants, and to the fleet as a whole. */
@Controller('admin/events')
@AdminRoutes('events')
export class AdminEventsController {
  constructor(
    private readonly trail: EventTrail,
    private readonly store: TenantStore,
  ) {}

  @Get()
  @Accepts({ query: AdminEventsQuery })
  async list(@Query() query: AdminEventsQuery): Promise<EventPage> {
    return eventPage(this.trail, await this.#whose(query.tenant), query);
  }

  @Get('export')
  @Accepts({ query: AdminEventsFilterQuery })
  async export(@Query() query: AdminEventsFilterQuery): Promise<StreamableFile> {
    return eventExport(this.trail, await this.#whose(query.tenant), query);
  }

  async #whose(reference: string | undefined): Promise<Whose> {
    if (reference === undefined) return {};
    if (reference === 'none') return { tenantId: null };
    return { tenantId: await tenantIdOf(this.store, reference) };
  }
}
