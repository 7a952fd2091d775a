import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { Command, Option, SubCommand } from 'nest-commander';
import { exportLines } from '../../events/event-pages';
import type { TenantEvent } from '../../registry/events/tenant-event';
import { CommandGroup } from '../command-group';
import { CommandLineError } from '../cli.errors';
import { EXIT } from '../exit-codes';
import { integer } from '../option-values';
import { table } from '../table';
import type { Answer } from '../tenancy-command';
import { VerifyEventsCommand } from './verify-events.command';
import { actorText, EventsCommandBase, type EventsOptions } from './events-command';

/** How often `follow` looks for more. */
const LOOK_MS = 500;
const PAGE = 100;

interface ListOptions extends EventsOptions {
  readonly limit?: number;
}

@SubCommand({
  name: 'list',
  arguments: '[tenant]',
  description: 'list what has happened to a tenant, or to all, the latest first',
})
export class ListEventsCommand extends EventsCommandBase<ListOptions> {
  protected readonly examples = [
    'tenancy events list acme',
    'tenancy events list --type tenant.* --limit 20',
  ];

  @Option({ flags: '--limit <number>', description: 'at most so many, 1 to 1000 (default 50)' })
  parseLimit(limit: string): number {
    return integer('--limit', limit, 1, 1_000);
  }

  protected async work([tenant]: readonly (string | undefined)[], options: ListOptions): Promise<Answer> {
    const trail = await this.trail(options);
    const query = await this.query(tenant, options);
    const data = await trail.list({ ...query, latestFirst: true, limit: options.limit ?? 50 });
    return { value: { data }, text: data.length === 0 ? 'Nothing has happened.' : toTable(data) };
  }
}

interface FollowOptions extends EventsOptions {
  readonly after?: string;
}

@SubCommand({
  name: 'follow',
  arguments: '[tenant]',
  description: 'print what happens from now on, one JSON object a line, until Ctrl-C',
})
export class FollowEventsCommand extends EventsCommandBase<FollowOptions> {
  protected readonly examples = [
    'tenancy events follow acme',
    'tenancy events follow --type order.* --after 1234',
  ];

  @Option({ flags: '--after <position>', description: 'begin behind this position (default: now)' })
  parseAfter(position: string): string {
    if (/^(?:0|[1-9]\d{0,17})$/.test(position)) return position;
    throw new CommandLineError(`--after must be the position of an event, got "${position}".`);
  }

  protected async work([tenant]: readonly (string | undefined)[], options: FollowOptions): Promise<Answer> {
    const trail = await this.trail(options);
    const query = await this.query(tenant, options);
    const [last] = options.after === undefined ? await trail.list({ latestFirst: true, limit: 1 }) : [];
    let after = options.after ?? last?.position ?? '0';
    await this.interrupts.during(async (signal) => {
      while (!signal.aborted) {
        const page = await trail.list({ ...query, after, limit: PAGE });
        for (const event of page) this.terminal.print(JSON.stringify(event));
        after = page.at(-1)?.position ?? after;
        if (page.length < PAGE) await wait(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
    });
    return { value: undefined, text: '', exitCode: EXIT.interrupted };
  }
}

@SubCommand({
  name: 'export',
  arguments: '[tenant]',
  description: 'print all that has happened, the first first, one JSON object a line',
})
export class ExportEventsCommand extends EventsCommandBase {
  protected readonly examples = [
    'tenancy events export acme > acme.jsonl',
    'tenancy events export --from 2026-01-01',
  ];

  protected async work([tenant]: readonly (string | undefined)[], options: EventsOptions): Promise<Answer> {
    const trail = await this.trail(options);
    const lines = await exportLines(trail, await this.query(tenant, options));
    await pipeline(Readable.from(lines, { objectMode: false }), this.terminal.bytes());
    return { value: undefined, text: '' };
  }
}

@Command({
  name: 'events',
  description: 'read the trail of what has happened to tenants',
  subCommands: [ListEventsCommand, FollowEventsCommand, ExportEventsCommand, VerifyEventsCommand],
})
export class EventsCommand extends CommandGroup {}

function toTable(events: readonly TenantEvent[]): string {
  return table(
    ['time', 'tenant', 'sequence', 'type', 'actor', 'subject', 'position'],
    events.map((event) => [
      ...[event.occurredAt.toISOString(), event.tenantId ?? '-', event.sequence, event.type],
      ...[actorText(event), event.subject ?? '-', event.position],
    ]),
  );
}
