import { Controller, Get, Query, type StreamableFile } from '@nestjs/common';
import { eventExport, type EventPage, eventPage, type Whose } from '../events/event-pages';
import { Accepts } from '../http/accepted.guard';
import { isUuid } from '../registry/claim';
import { EventTrail } from '../registry/events/event-trail';
import { TenantStore } from '../registry/store/tenant.store';
import { TenantNotFoundError } from '../registry/tenant.errors';
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

  /** A purged tenant still has its events, by its id. */
  async #whose(reference: string | undefined): Promise<Whose> {
    if (reference === undefined) return {};
    if (reference === 'none') return { tenantId: null };
    if (isUuid(reference)) return { tenantId: reference };
    const tenant = await this.store.find({ by: 'slug', value: reference });
    if (!tenant) throw new TenantNotFoundError();
    return { tenantId: tenant.id };
  }
}
