import { Option } from 'nest-commander';
import { messageOf } from '../../common/error-message';
import { filterOf, tenantIdOf } from '../../events/event-pages';
import { EventTrail } from '../../registry/events/event-trail';
import type { EventQuery, TenantEvent } from '../../registry/events/tenant-event';
import { TenantStore } from '../../registry/store/tenant.store';
import { CommandLineError } from '../cli.errors';
import { type CommonOptions, TenancyCommand } from '../tenancy-command';

export interface EventsOptions extends CommonOptions {
  readonly type?: string;
  readonly actor?: string;
  readonly from?: string;
  readonly to?: string;
}

/** What the commands that read the trail have in common. */
export abstract class EventsCommandBase<
  Options extends EventsOptions = EventsOptions,
> extends TenancyCommand<Options> {
  protected trail(options: CommonOptions): Promise<EventTrail> {
    return this.application.get(EventTrail, 'look', options);
  }

  /** @throws CommandLineError, TenantNotFoundError */
  protected async query(
    reference: string | undefined,
    { type, actor, from, to, ...options }: EventsOptions,
  ): Promise<Omit<EventQuery, 'limit'>> {
    let filter: Omit<EventQuery, 'limit'>;
    try {
      filter = filterOf({ type, actor, from, to });
    } catch (error) {
      throw new CommandLineError(messageOf(error), { cause: error });
    }
    if (reference === undefined) return filter;
    const store = await this.application.get(TenantStore, 'look', options);
    return { ...filter, tenantId: await tenantIdOf(store, reference) };
  }

  @Option({ flags: '--type <types>', description: 'only these, such as order.*,tenant.suspended' })
  parseType(type: string): string {
    return type;
  }

  @Option({ flags: '--actor <actor>', description: 'only what was done by these: api-key, or api-key:<id>' })
  parseActor(actor: string): string {
    return actor;
  }

  @Option({ flags: '--from <time>', description: 'only from this day or time on' })
  parseFrom(from: string): string {
    return from;
  }

  @Option({ flags: '--to <time>', description: 'only before this day or time' })
  parseTo(to: string): string {
    return to;
  }
}

/** Who did it, in one word. */
export function actorText({ actor: { type, id } }: TenantEvent): string {
  return id === null ? type : `${type}:${id}`;
}
