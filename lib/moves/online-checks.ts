import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Place } from '../placement/place';
import { TYPEORM_METADATA } from '../provisioning/template/template-data';
import type { Tenant } from '../registry/tenant';
import { MoveSessions } from './move-sessions';
import { Replication } from './replication';

/** Says before anything is copied why a tenant's writes cannot go on while it moves. */
@Injectable()
export class OnlineChecks {
  constructor(
    private readonly sessions: MoveSessions,
    private readonly replication: Replication,
  ) {}

  /** What stands in the way, as one sentence each. */
  async obstacles({ schemaName }: Tenant, from: Place, to: Place): Promise<string[]> {
    const found = await this.sessions.look({ place: from, schemaName }, async (manager) => [
      ...(await obstaclesOfTables(manager, schemaName)),
      ...(await obstaclesAtSource(manager, from.server)),
    ]);
    if (found.length > 0) return found;
    const full = await this.sessions.look({ place: to, schemaName }, (manager) =>
      obstaclesAtTarget(manager, to.server),
    );
    if (full.length > 0) return full;
    const refusal = await this.replication.rehearse(schemaName, from, to);
    if (refusal === undefined) return [];
    return [`the server "${to.server}" cannot subscribe to "${from.server}": ${refusal}`];
  }
}

interface TableRow {
  readonly name: string;
  readonly hasIdentity: boolean;
  readonly isUnlogged: boolean;
  readonly isForced: boolean;
  readonly hasTrigger: boolean;
}

/** Where a row cannot be told from others, the tenant's own UPDATE and DELETE would fail once the table is published. */
async function obstaclesOfTables(manager: EntityManager, schemaName: string): Promise<string[]> {
  const tables = await manager.query<TableRow[]>(
    `SELECT c.relname AS name, c.relpersistence = 'u' AS "isUnlogged", c.relforcerowsecurity AS "isForced",
       EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND
         CASE c.relreplident WHEN 'n' THEN false WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END) AS "hasIdentity",
       EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled IN ('A', 'R')) AS "hasTrigger"
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname <> $2 ORDER BY 1`,
    [schemaName, TYPEORM_METADATA],
  );
  return tables.flatMap(({ name, ...is }) => [
    ...(is.hasIdentity ? [] : [`the table "${name}" has no primary key`]),
    ...(is.isUnlogged ? [`the table "${name}" is unlogged`] : []),
    ...(is.isForced ? [`the table "${name}" has FORCE ROW LEVEL SECURITY`] : []),
    ...(is.hasTrigger
      ? [`a trigger of the table "${name}" would fire at the new place as well (ENABLE ALWAYS or REPLICA)`]
      : []),
  ]);
}

async function obstaclesAtSource(manager: EntityManager, server: string): Promise<string[]> {
  const [{ walLevel, slots, senders, hasCitus }] = await manager.query<
    { walLevel: string; slots: number; senders: number; hasCitus: boolean }[]
  >(
    `SELECT pg_catalog.current_setting('wal_level') AS "walLevel",
       pg_catalog.current_setting('max_replication_slots')::integer
         - (SELECT count(*) FROM pg_catalog.pg_replication_slots)::integer AS slots,
       pg_catalog.current_setting('max_wal_senders')::integer
         - (SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders())::integer AS senders,
       EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus') AS "hasCitus"`,
  );
  return [
    ...(walLevel === 'logical'
      ? []
      : [`the server "${server}" has wal_level = ${walLevel}, and needs logical`]),
    ...(slots > 0 ? [] : [`the server "${server}" has no free slot (max_replication_slots)`]),
    ...(senders > 0 ? [] : [`the server "${server}" has no free sender (max_wal_senders)`]),
    ...(hasCitus ? [`the server "${server}" has Citus, which does not publish what its nodes hold`] : []),
  ];
}

async function obstaclesAtTarget(manager: EntityManager, server: string): Promise<string[]> {
  const [{ workers, origins }] = await manager.query<{ workers: number; origins: number }[]>(
    `SELECT pg_catalog.current_setting('max_logical_replication_workers')::integer
         - (SELECT count(*) FROM pg_catalog.pg_subscription WHERE subenabled)::integer AS workers,
       COALESCE(pg_catalog.current_setting('max_active_replication_origins', true),
           pg_catalog.current_setting('max_replication_slots'))::integer
         - (SELECT count(*) FROM pg_catalog.pg_replication_origin)::integer AS origins`,
  );
  return [
    ...(workers > 0 ? [] : [`the server "${server}" has no free worker (max_logical_replication_workers)`]),
    ...(origins > 0
      ? []
      : [
          `the server "${server}" has no free origin (max_active_replication_origins; before 18 max_replication_slots)`,
        ]),
  ];
}
