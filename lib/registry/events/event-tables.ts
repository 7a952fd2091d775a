/**
 * SQL that makes the table in which events wait for their place in the trail: one in each database in which tenants are.
 * `schema` is quoted.
 *
 * An event is one row more in the transaction of the change, and nothing is locked for it. `n` orders what one session, or a
 * later one that has seen it, has written. `role_name`: the role that has come by the door, see `eventDoor`.
 */
export function eventOutbox(schema: string): string {
  return `
    CREATE TABLE IF NOT EXISTS ${schema}.tenant_event_outbox (
      n bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tenant_event_outbox_pkey PRIMARY KEY,
      id uuid NOT NULL,
      tenant_id uuid,
      type text NOT NULL,
      actor_type text NOT NULL,
      actor_id text,
      subject text,
      data json NOT NULL,
      occurred_at timestamptz(3) NOT NULL DEFAULT pg_catalog.clock_timestamp(),
      role_name text
    )`;
}

/** SQL that makes the trail itself, where the registry is. */
export function eventTrail(schema: string): string[] {
  return [
    `CREATE SEQUENCE ${schema}.tenant_event_positions`,
    // No foreign key: the events of a tenant outlive it.
    `CREATE TABLE ${schema}.tenant_events (
      position bigint NOT NULL CONSTRAINT tenant_events_pkey PRIMARY KEY,
      id uuid NOT NULL CONSTRAINT tenant_events_id_key UNIQUE,
      tenant_id uuid,
      sequence bigint NOT NULL,
      type text NOT NULL,
      actor_type text NOT NULL,
      actor_id text,
      subject text,
      data json NOT NULL,
      occurred_at timestamptz(3) NOT NULL,
      previous_hash bytea NOT NULL,
      hash bytea NOT NULL,
      CONSTRAINT tenant_events_sequence_key UNIQUE NULLS NOT DISTINCT (tenant_id, sequence)
    )`,
    `CREATE INDEX tenant_events_tenant_id_idx ON ${schema}.tenant_events (tenant_id, position)`,
    // Those of no tenant have a row, too: NOBODY's.
    `CREATE TABLE ${schema}.tenant_event_heads (
      tenant_id uuid NOT NULL CONSTRAINT tenant_event_heads_pkey PRIMARY KEY,
      sequence bigint NOT NULL,
      hash bytea NOT NULL,
      sealed_sequence bigint NOT NULL DEFAULT 0,
      sealed_hash bytea NOT NULL DEFAULT '\\x${'00'.repeat(32)}'
    )`,
  ];
}

/** In `tenant_event_heads`: the events of no tenant. A primary key has no NULL. */
export const NOBODY = '00000000-0000-0000-0000-000000000000';
