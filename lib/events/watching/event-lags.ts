import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { askRegistry } from '../../registry/store/registry-transaction';

/** How far a follower is behind in all instances together, in milliseconds by PostgreSQL's clock; 0 when it is not. */
export interface FollowerLag {
  readonly name: string;
  /** No event that it has not handled is older. What it may not have yet, as of a suspended tenant, does not count. */
  readonly behindMs: number;
  /** For how long something has been due that no instance takes up. */
  readonly overdueMs: number;
  /** Tenants whose events wait for their turn. */
  readonly waiting: number;
  /** Tenants whose next call is another try. */
  readonly failing: number;
  /** Tenants whose events are kept until they are active. */
  readonly kept: number;
}

export interface EventLagReport {
  /** How long the first event of the registry's outbox has waited for its place in the trail; 0 when there is none. */
  readonly unsealedMs: number;
  readonly followers: readonly FollowerLag[];
}

/** Reads how far the trail and its followers are behind. */
@Injectable()
export class EventLags {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /** @throws TenancyUnavailableError */
  async read(): Promise<EventLagReport> {
    const [report] = await askRegistry<EventLagReport[]>(this.registry, lags);
    return report;
  }
}

/** An event that no instance has looked at yet is in no backlog: a follower that runs nowhere would seem to be up to date. */
function lags(schema: string): string {
  return `
    SELECT coalesce((SELECT ${since('occurred_at')} FROM ${schema}.tenant_event_outbox ORDER BY n LIMIT 1), 0) AS "unsealedMs",
      coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', f.name,
          'behindMs', GREATEST(0, ${since('b.since')}, ${since('unseen.occurred_at')}),
          'overdueMs', GREATEST(0, ${since('b.due_at')}, ${since('unseen.occurred_at')}),
          'waiting', b.waiting, 'failing', b.failing, 'kept', b.kept) ORDER BY f.name)
        FROM ${schema}.event_followers f
        CROSS JOIN LATERAL (
          SELECT pg_catalog.min(since) FILTER (WHERE NOT is_parked) AS since, pg_catalog.min(due_at) AS due_at,
            pg_catalog.count(*) FILTER (WHERE NOT is_parked AND attempts <= 0)::int AS waiting,
            pg_catalog.count(*) FILTER (WHERE NOT is_parked AND attempts > 0)::int AS failing,
            pg_catalog.count(*) FILTER (WHERE is_parked)::int AS kept
          FROM ${schema}.event_backlogs WHERE follower = f.name) b
        LEFT JOIN LATERAL (
          SELECT occurred_at FROM ${schema}.tenant_events
          WHERE position > f.position ORDER BY position LIMIT 1) unseen ON true), '[]') AS followers`;
}

/** SQL: the milliseconds since then. */
function since(time: string): string {
  return `(pg_catalog.date_part('epoch', statement_timestamp() - ${time}) * 1000)::float8`;
}
