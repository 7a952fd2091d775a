-- A database that the commit 46b48fb has made, before optional modules brought their own tables: the registry with rows in
-- each table, the template, two tenants, one that is purged, and a spare. By pg_dump 15 with --column-inserts; only the time
-- in usage_flushes is another, because old rows of that table are deleted.
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA reference;
CREATE SCHEMA t_atl3q28idbsruk5jvu6f;
COMMENT ON SCHEMA t_atl3q28idbsruk5jvu6f IS 'tenant globex; registry c7964c12-775a-4cc0-8cb2-9fbed4c3ea7b';
CREATE SCHEMA t_eyqw81ht360753clrh4j;
COMMENT ON SCHEMA t_eyqw81ht360753clrh4j IS 'waits for a tenant; registry c7964c12-775a-4cc0-8cb2-9fbed4c3ea7b';
CREATE SCHEMA t_qylwse3011quxot34eko;
COMMENT ON SCHEMA t_qylwse3011quxot34eko IS 'tenant acme; registry c7964c12-775a-4cc0-8cb2-9fbed4c3ea7b';
CREATE SCHEMA template;
CREATE SCHEMA tenancy;
CREATE FUNCTION tenancy.notify_tenant_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    DECLARE
      channel text := pg_catalog.left(TG_TABLE_SCHEMA, 55) || ':tenants';
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_catalog.pg_notify(channel, '');
        RETURN NULL;
      END IF;
      -- Equal ones of a transaction are sent once.
      IF TG_OP <> 'INSERT' THEN
        PERFORM pg_catalog.pg_notify(channel, pg_catalog.to_jsonb(OLD) ->> TG_ARGV[0]);
      END IF;
      IF TG_OP <> 'DELETE' THEN
        PERFORM pg_catalog.pg_notify(channel, pg_catalog.to_jsonb(NEW) ->> TG_ARGV[0]);
      END IF;
      RETURN NULL;
    END
    $$;
CREATE TABLE reference.country (
    code text NOT NULL
);
CREATE TABLE t_atl3q28idbsruk5jvu6f.note (
    id integer NOT NULL,
    text character varying NOT NULL
);
CREATE SEQUENCE t_atl3q28idbsruk5jvu6f.note_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE t_atl3q28idbsruk5jvu6f.note_id_seq OWNED BY t_atl3q28idbsruk5jvu6f.note.id;
CREATE TABLE t_eyqw81ht360753clrh4j.note (
    id integer NOT NULL,
    text character varying NOT NULL
);
CREATE SEQUENCE t_eyqw81ht360753clrh4j.note_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE t_eyqw81ht360753clrh4j.note_id_seq OWNED BY t_eyqw81ht360753clrh4j.note.id;
CREATE TABLE t_qylwse3011quxot34eko.note (
    id integer NOT NULL,
    text character varying NOT NULL
);
CREATE SEQUENCE t_qylwse3011quxot34eko.note_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE t_qylwse3011quxot34eko.note_id_seq OWNED BY t_qylwse3011quxot34eko.note.id;
CREATE TABLE template.note (
    id integer NOT NULL,
    text character varying NOT NULL
);
CREATE SEQUENCE template.note_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE template.note_id_seq OWNED BY template.note.id;
CREATE TABLE tenancy.api_key_uses (
    key_id uuid NOT NULL,
    last_used_at timestamp(3) with time zone NOT NULL
);
CREATE TABLE tenancy.api_keys (
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    hint text NOT NULL,
    digest bytea NOT NULL,
    previous_digest bytea,
    previous_until timestamp(3) with time zone,
    scopes text[] DEFAULT '{}'::text[] NOT NULL,
    allowed_ips text[] DEFAULT '{}'::text[] NOT NULL,
    expires_at timestamp(3) with time zone,
    blocked_at timestamp(3) with time zone,
    revoked_at timestamp(3) with time zone,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT api_keys_digest_check CHECK ((octet_length(digest) = 32))
);
CREATE TABLE tenancy.idempotency_keys (
    id bytea NOT NULL,
    fingerprint bytea NOT NULL,
    owner uuid NOT NULL,
    tenant_id uuid NOT NULL,
    claimed_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    answer json
);
CREATE TABLE tenancy.master_key_uses (
    id bigint NOT NULL,
    name text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    scope text NOT NULL,
    granted boolean NOT NULL,
    ip text,
    at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE tenancy.master_key_uses ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tenancy.master_key_uses_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE tenancy.migration_runs (
    id uuid NOT NULL,
    direction text NOT NULL,
    state text NOT NULL,
    holder text NOT NULL,
    migrations jsonb NOT NULL,
    report jsonb,
    lease_until timestamp with time zone NOT NULL,
    started_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp(3) with time zone,
    CONSTRAINT migration_runs_direction_check CHECK ((direction = ANY (ARRAY['up'::text, 'down'::text]))),
    CONSTRAINT migration_runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text, 'halted'::text, 'abandoned'::text])))
);
CREATE TABLE tenancy.orphans (
    schema_name text NOT NULL,
    first_seen_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE tenancy.purges (
    tenant_id uuid NOT NULL,
    slug text NOT NULL,
    schema_name text NOT NULL,
    tenant jsonb,
    tables jsonb DEFAULT '{}'::jsonb NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    purged_by text,
    started_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp(3) with time zone,
    CONSTRAINT purges_tenant_check CHECK (((finished_at IS NULL) OR (tenant IS NULL)))
);
CREATE TABLE tenancy.registry_identity (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    is_only boolean DEFAULT true NOT NULL,
    CONSTRAINT registry_identity_check CHECK (is_only)
);
CREATE TABLE tenancy.registry_migrations (
    id integer NOT NULL,
    "timestamp" bigint NOT NULL,
    name character varying NOT NULL
);
CREATE SEQUENCE tenancy.registry_migrations_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE tenancy.registry_migrations_id_seq OWNED BY tenancy.registry_migrations.id;
CREATE TABLE tenancy.shared_migrations (
    schema_name text NOT NULL,
    name text NOT NULL,
    "timestamp" bigint NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE tenancy.spares (
    slot integer NOT NULL,
    schema_name text NOT NULL,
    template_version text NOT NULL,
    made_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT spares_slot_check CHECK ((slot >= 0))
);
CREATE TABLE tenancy.template_migrations (
    name text NOT NULL,
    "timestamp" bigint NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    checksum text
);
CREATE TABLE tenancy.template_prints (
    structure text NOT NULL,
    server text NOT NULL,
    prints jsonb NOT NULL,
    kept_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE tenancy.tenant_audit (
    id bigint NOT NULL,
    tenant_id uuid NOT NULL,
    action text NOT NULL,
    actor text,
    reason text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE tenancy.tenant_audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tenancy.tenant_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE tenancy.tenant_domains (
    domain text NOT NULL,
    tenant_id uuid NOT NULL
);
CREATE TABLE tenancy.tenant_migrations (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    "timestamp" bigint NOT NULL,
    checksum text,
    state text NOT NULL,
    run_id uuid,
    at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
    duration_ms integer,
    error text,
    statement text,
    CONSTRAINT tenant_migrations_state_check CHECK ((state = ANY (ARRAY['done'::text, 'failed'::text, 'unfinished'::text])))
);
CREATE TABLE tenancy.tenant_settings (
    tenant_id uuid NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 0 NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT tenant_settings_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text))
);
CREATE TABLE tenancy.tenants (
    id uuid NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    schema_name text NOT NULL,
    status text NOT NULL,
    status_reason text,
    deleted_from text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    template_version text,
    created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    schema_version text,
    CONSTRAINT tenants_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT tenants_status_check CHECK ((status = ANY (ARRAY['provisioning'::text, 'active'::text, 'suspended'::text, 'deleted'::text, 'purged'::text])))
);
CREATE TABLE tenancy.usage_flushes (
    instance_id uuid NOT NULL,
    batch bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE tenancy.usage_months (
    tenant_id uuid NOT NULL,
    metric text NOT NULL,
    month date NOT NULL,
    total bigint NOT NULL,
    days bigint[] NOT NULL,
    CONSTRAINT usage_months_days_check CHECK ((array_length(days, 1) = 31)),
    CONSTRAINT usage_months_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric))
);
ALTER TABLE ONLY t_atl3q28idbsruk5jvu6f.note ALTER COLUMN id SET DEFAULT nextval('t_atl3q28idbsruk5jvu6f.note_id_seq'::regclass);
ALTER TABLE ONLY t_eyqw81ht360753clrh4j.note ALTER COLUMN id SET DEFAULT nextval('t_eyqw81ht360753clrh4j.note_id_seq'::regclass);
ALTER TABLE ONLY t_qylwse3011quxot34eko.note ALTER COLUMN id SET DEFAULT nextval('t_qylwse3011quxot34eko.note_id_seq'::regclass);
ALTER TABLE ONLY template.note ALTER COLUMN id SET DEFAULT nextval('template.note_id_seq'::regclass);
ALTER TABLE ONLY tenancy.registry_migrations ALTER COLUMN id SET DEFAULT nextval('tenancy.registry_migrations_id_seq'::regclass);
INSERT INTO t_atl3q28idbsruk5jvu6f.note (id, text) VALUES (1, 'of globex');
INSERT INTO t_qylwse3011quxot34eko.note (id, text) VALUES (1, 'of acme');
INSERT INTO tenancy.api_key_uses (key_id, last_used_at) VALUES ('01a22808-83d7-70ca-b45a-d90d32e26b62', '2026-11-29 15:59:36.458+00');
INSERT INTO tenancy.api_key_uses (key_id, last_used_at) VALUES ('01a22808-83eb-75e2-9c73-6eda15e405fb', '2026-11-29 15:59:36.531+00');
INSERT INTO tenancy.api_keys (id, tenant_id, name, hint, digest, previous_digest, previous_until, scopes, allowed_ips, expires_at, blocked_at, revoked_at, version, created_at, updated_at) VALUES ('01a22808-83d7-70ca-b45a-d90d32e26b62', '01a22808-815e-77f8-993a-0db4c3385117', 'the till', 'QsAL', '\x2e9d61ccf4ad1f2d9d0ff83755bab8ecd28d3b84f3463ad73b52c69c20e2f2f7', NULL, NULL, '{orders:read}', '{}', NULL, NULL, NULL, 1, '2026-11-29 15:59:36.419+00', '2026-11-29 15:59:36.419+00');
INSERT INTO tenancy.api_keys (id, tenant_id, name, hint, digest, previous_digest, previous_until, scopes, allowed_ips, expires_at, blocked_at, revoked_at, version, created_at, updated_at) VALUES ('01a22808-83eb-75e2-9c73-6eda15e405fb', '01a22808-823e-7692-8a1b-3d816bc14e49', 'other', '2H7v', '\x10f9068e073e3b2cd7593cbf1c1cfe2af9c62aaabd75823d6da63aa245fa626f', NULL, NULL, '{orders:read}', '{}', NULL, NULL, NULL, 1, '2026-11-29 15:59:36.437+00', '2026-11-29 15:59:36.437+00');
INSERT INTO tenancy.idempotency_keys (id, fingerprint, owner, tenant_id, claimed_until, expires_at, answer) VALUES ('\x7d325c22d7df00a6346ee8702c9252345c2177bb53a9c4cd42c17c28134cf76a', '\x43d4b52b6000e59ac88b8eb0cba52d89ca53ef0cb1bc2913074ebb1a91911022', 'dbc9692c-bd6b-44fc-a616-8a23d1e7c65c', '01a22808-815e-77f8-993a-0db4c3385117', '2026-11-29 16:00:35.776218+00', '2026-11-30 15:59:35.776218+00', '{"status":200,"etag":"\"01a22808-815e-77f8-993a-0db4c3385117.1\"","body":{"id":"01a22808-815e-77f8-993a-0db4c3385117","slug":"acme","name":"Acme","schemaName":"t_qylwse3011quxot34eko","schemaVersion":"CreateNotes1700000000000","status":"active","domains":["acme.test"],"metadata":{"plan":"free"},"createdAt":"2026-11-29T15:59:35.804Z","updatedAt":"2026-11-29T15:59:35.804Z"},"sealed":"vtWCfhsoeAVFbZfbm1M0+3s8FBlZcFwpuRIDsVVbaG+UFWvJDmEhCBzuTidEKNRPS2893i5sYqI7n9NCVwKm59kCCW4OFvcwWDvLD+IsWT+1lbOJNUFhbYt9lDC/teKwGdoIxdoVyJWq2H5Wn2y0BxIsADmWmprHhhlt50FzNGoh/nah8HAgKsV0iwcOQLa2qX1SMSxTdvopvoQBjaUzSCL99JG27xFBAZwC87k1uCRANcSejBKnZ8rYhz/f9I+S98mjjKQFVghj93enKNRxQcdqmBK6DDHrUzW8IiGdQjNMFYkoDGVd9aQuaXFUvoQRny12SSwnvDGxCdFXAXLSOKLR1xuIFdk3xditoNgEu3Q3AyPK0E8OayaF+oesLV68oVNh3vdIeIv5IeYm5rfyjsYyYnFjMd4kakwigxjGMX49MdWXCDI/a4U="}');
INSERT INTO tenancy.master_key_uses (id, name, method, path, scope, granted, ip, at) OVERRIDING SYSTEM VALUE VALUES (1, 'master', 'POST', '/admin/tenants', 'tenants:write', true, '127.0.0.1', '2026-11-29 15:59:35.764+00');
INSERT INTO tenancy.master_key_uses (id, name, method, path, scope, granted, ip, at) OVERRIDING SYSTEM VALUE VALUES (2, 'master', 'POST', '/admin/tenants', 'tenants:write', true, '127.0.0.1', '2026-11-29 15:59:35.989+00');
INSERT INTO tenancy.master_key_uses (id, name, method, path, scope, granted, ip, at) OVERRIDING SYSTEM VALUE VALUES (3, 'master', 'POST', '/admin/tenants', 'tenants:write', true, '127.0.0.1', '2026-11-29 15:59:36.181+00');
INSERT INTO tenancy.master_key_uses (id, name, method, path, scope, granted, ip, at) OVERRIDING SYSTEM VALUE VALUES (4, 'master', 'PUT', '/admin/tenants/acme/settings/theme', 'settings:write', true, '127.0.0.1', '2026-11-29 15:59:36.216+00');
INSERT INTO tenancy.master_key_uses (id, name, method, path, scope, granted, ip, at) OVERRIDING SYSTEM VALUE VALUES (5, 'master', 'PUT', '/admin/tenants/globex/settings/theme', 'settings:write', true, '127.0.0.1', '2026-11-29 15:59:36.362+00');
INSERT INTO tenancy.master_key_uses (id, name, method, path, scope, granted, ip, at) OVERRIDING SYSTEM VALUE VALUES (6, 'master', 'DELETE', '/admin/tenants/gone', 'tenants:write', true, '127.0.0.1', '2026-11-29 15:59:36.564+00');
INSERT INTO tenancy.master_key_uses (id, name, method, path, scope, granted, ip, at) OVERRIDING SYSTEM VALUE VALUES (7, 'master', 'DELETE', '/admin/tenants/gone', 'tenants:write', true, '127.0.0.1', '2026-11-29 15:59:36.592+00');
INSERT INTO tenancy.migration_runs (id, direction, state, holder, migrations, report, lease_until, started_at, finished_at) VALUES ('01a22804-0000-7000-8000-000000000001', 'up', 'done', 'a host', '[]', '{"tenants": []}', '2026-11-29 15:59:38.540559+00', '2026-11-29 15:59:38.541+00', '2026-11-29 15:59:38.541+00');
INSERT INTO tenancy.orphans (schema_name, first_seen_at) VALUES ('t_aaaaaaaaaaaaaaaaaaaa', '2026-11-29 15:59:38.54+00');
INSERT INTO tenancy.purges (tenant_id, slug, schema_name, tenant, tables, bytes, purged_by, started_at, finished_at) VALUES ('01a22808-82fa-7278-b1e1-59f2858dc663', 'gone', 't_ysouxl0ymo9dzzouj9ot', NULL, '{"note": 0}', 16384, 'master', '2026-11-29 15:59:36.7+00', '2026-11-29 15:59:36.78+00');
INSERT INTO tenancy.registry_identity (id, is_only) VALUES ('c7964c12-775a-4cc0-8cb2-9fbed4c3ea7b', true);
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (1, 1763600000000, 'CreateRegistry1763600000000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (2, 1763600100000, 'NotifyTenantChanges1763600100000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (3, 1763600200000, 'CreateAdminRecords1763600200000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (4, 1763600300000, 'CreateSparesAndPurges1763600300000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (5, 1763600400000, 'CreateFleetLedger1763600400000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (6, 1763600500000, 'CreateApiKeys1763600500000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (7, 1763600600000, 'TrackSchemaVersions1763600600000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (8, 1763600800000, 'CreateTenantSettings1763600800000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (9, 1763600900000, 'CreateUsage1763600900000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (10, 1763601000000, 'IdentifyRegistry1763601000000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (11, 1763601050000, 'KeepTemplatePrints1763601050000');
INSERT INTO tenancy.registry_migrations (id, "timestamp", name) VALUES (12, 1763601100000, 'CreateSharedMigrations1763601100000');
INSERT INTO tenancy.shared_migrations (schema_name, name, "timestamp", checksum, applied_at) VALUES ('reference', 'CreateCountries1690000000000', 1690000000000, '1bd83284a7b17a867497085cce3c8f5551d28c5d88651c24047e64a1d84afedb', '2026-11-29 15:59:34.86+00');
INSERT INTO tenancy.spares (slot, schema_name, template_version, made_at) VALUES (0, 't_eyqw81ht360753clrh4j', '856b83cc6676682a352a076ed1df9a22762abd01b8fa243e32e856e7a470ad07', '2026-11-29 15:59:36.234+00');
INSERT INTO tenancy.template_migrations (name, "timestamp", applied_at, checksum) VALUES ('CreateNotes1700000000000', 1700000000000, '2026-11-29 15:59:34.872173+00', '4406817cf202ded13d387f72b21a6cc8983d2810e6b93d554b50612001ed22bc');
INSERT INTO tenancy.template_prints (structure, server, prints, kept_at) VALUES ('485cef76087c1f5e9632b77747edb3ced412b5fa94528c0df94c9c71ac72551a', '150018', '{"lines": [], "hashes": {}}', '2026-11-29 15:59:34.872173+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (1, '01a22808-815e-77f8-993a-0db4c3385117', 'create', 'master', NULL, '{}', '2026-11-29 15:59:35.859+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (2, '01a22808-823e-7692-8a1b-3d816bc14e49', 'create', 'master', NULL, '{}', '2026-11-29 15:59:36.034+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (3, '01a22808-82fa-7278-b1e1-59f2858dc663', 'create', 'master', NULL, '{}', '2026-11-29 15:59:36.197+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (4, '01a22808-815e-77f8-993a-0db4c3385117', 'set-setting', 'master', NULL, '{"key": "theme"}', '2026-11-29 15:59:36.313+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (5, '01a22808-823e-7692-8a1b-3d816bc14e49', 'set-setting', 'master', NULL, '{"key": "theme"}', '2026-11-29 15:59:36.382+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (6, '01a22808-815e-77f8-993a-0db4c3385117', 'create-key', NULL, NULL, '{"key": "01a22808-83d7-70ca-b45a-d90d32e26b62", "name": "the till"}', '2026-11-29 15:59:36.421+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (7, '01a22808-823e-7692-8a1b-3d816bc14e49', 'create-key', NULL, NULL, '{"key": "01a22808-83eb-75e2-9c73-6eda15e405fb", "name": "other"}', '2026-11-29 15:59:36.439+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (8, '01a22808-82fa-7278-b1e1-59f2858dc663', 'delete', 'master', NULL, '{"to": "deleted", "from": "active"}', '2026-11-29 15:59:36.577+00');
INSERT INTO tenancy.tenant_audit (id, tenant_id, action, actor, reason, details, at) OVERRIDING SYSTEM VALUE VALUES (9, '01a22808-82fa-7278-b1e1-59f2858dc663', 'purge', 'master', NULL, '{}', '2026-11-29 15:59:36.617+00');
INSERT INTO tenancy.tenant_domains (domain, tenant_id) VALUES ('acme.test', '01a22808-815e-77f8-993a-0db4c3385117');
INSERT INTO tenancy.tenant_migrations (tenant_id, name, "timestamp", checksum, state, run_id, at, duration_ms, error, statement) VALUES ('01a22808-815e-77f8-993a-0db4c3385117', 'CreateNotes1700000000000', 1700000000000, '4406817cf202ded13d387f72b21a6cc8983d2810e6b93d554b50612001ed22bc', 'done', NULL, '2026-11-29 15:59:35.864+00', NULL, NULL, NULL);
INSERT INTO tenancy.tenant_migrations (tenant_id, name, "timestamp", checksum, state, run_id, at, duration_ms, error, statement) VALUES ('01a22808-823e-7692-8a1b-3d816bc14e49', 'CreateNotes1700000000000', 1700000000000, '4406817cf202ded13d387f72b21a6cc8983d2810e6b93d554b50612001ed22bc', 'done', NULL, '2026-11-29 15:59:36.156+00', NULL, NULL, NULL);
INSERT INTO tenancy.tenant_settings (tenant_id, settings, version, updated_at) VALUES ('01a22808-815e-77f8-993a-0db4c3385117', '{"theme": "dark"}', 1, '2026-11-29 15:59:36.301+00');
INSERT INTO tenancy.tenant_settings (tenant_id, settings, version, updated_at) VALUES ('01a22808-823e-7692-8a1b-3d816bc14e49', '{"theme": "dim"}', 1, '2026-11-29 15:59:36.382+00');
INSERT INTO tenancy.tenants (id, slug, name, schema_name, status, status_reason, deleted_from, metadata, template_version, created_at, updated_at, version, schema_version) VALUES ('01a22808-815e-77f8-993a-0db4c3385117', 'acme', 'Acme', 't_qylwse3011quxot34eko', 'active', NULL, NULL, '{"plan": "free"}', '6f2af9eff9e3a5432fb923ac0b779976dd451c290213c88f3209cd109ad86945', '2026-11-29 15:59:35.804+00', '2026-11-29 15:59:35.804+00', 1, 'CreateNotes1700000000000');
INSERT INTO tenancy.tenants (id, slug, name, schema_name, status, status_reason, deleted_from, metadata, template_version, created_at, updated_at, version, schema_version) VALUES ('01a22808-823e-7692-8a1b-3d816bc14e49', 'globex', 'globex', 't_atl3q28idbsruk5jvu6f', 'active', NULL, NULL, '{}', '6f2af9eff9e3a5432fb923ac0b779976dd451c290213c88f3209cd109ad86945', '2026-11-29 15:59:36+00', '2026-11-29 15:59:36+00', 1, 'CreateNotes1700000000000');
INSERT INTO tenancy.tenants (id, slug, name, schema_name, status, status_reason, deleted_from, metadata, template_version, created_at, updated_at, version, schema_version) VALUES ('01a22808-82fa-7278-b1e1-59f2858dc663', 'gone', 'gone', 't_ysouxl0ymo9dzzouj9ot', 'purged', NULL, NULL, '{}', '6f2af9eff9e3a5432fb923ac0b779976dd451c290213c88f3209cd109ad86945', '2026-11-29 15:59:36.188+00', '2026-11-29 15:59:36.614+00', 3, 'CreateNotes1700000000000');
INSERT INTO tenancy.usage_flushes (instance_id, batch, at) VALUES ('a8ee74ac-85d5-403c-9586-f05077c00b38', 1, 'infinity');
INSERT INTO tenancy.usage_months (tenant_id, metric, month, total, days) VALUES ('01a22808-815e-77f8-993a-0db4c3385117', 'exports', '2026-11-01', 3, '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,3,0,0}');
INSERT INTO tenancy.usage_months (tenant_id, metric, month, total, days) VALUES ('01a22808-823e-7692-8a1b-3d816bc14e49', 'exports', '2026-11-01', 3, '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,3,0,0}');
SELECT pg_catalog.setval('t_atl3q28idbsruk5jvu6f.note_id_seq', 1, true);
SELECT pg_catalog.setval('t_eyqw81ht360753clrh4j.note_id_seq', 1, false);
SELECT pg_catalog.setval('t_qylwse3011quxot34eko.note_id_seq', 1, true);
SELECT pg_catalog.setval('template.note_id_seq', 1, false);
SELECT pg_catalog.setval('tenancy.master_key_uses_id_seq', 7, true);
SELECT pg_catalog.setval('tenancy.registry_migrations_id_seq', 12, true);
SELECT pg_catalog.setval('tenancy.tenant_audit_id_seq', 9, true);
ALTER TABLE ONLY reference.country
    ADD CONSTRAINT country_pkey PRIMARY KEY (code);
ALTER TABLE ONLY t_atl3q28idbsruk5jvu6f.note
    ADD CONSTRAINT note_pkey PRIMARY KEY (id);
ALTER TABLE ONLY t_eyqw81ht360753clrh4j.note
    ADD CONSTRAINT note_pkey PRIMARY KEY (id);
ALTER TABLE ONLY t_qylwse3011quxot34eko.note
    ADD CONSTRAINT note_pkey PRIMARY KEY (id);
ALTER TABLE ONLY template.note
    ADD CONSTRAINT note_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.registry_migrations
    ADD CONSTRAINT "PK_af0e4c9025d0e89a6ef692a78ad" PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.api_key_uses
    ADD CONSTRAINT api_key_uses_pkey PRIMARY KEY (key_id);
ALTER TABLE ONLY tenancy.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.master_key_uses
    ADD CONSTRAINT master_key_uses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.migration_runs
    ADD CONSTRAINT migration_runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.orphans
    ADD CONSTRAINT orphans_pkey PRIMARY KEY (schema_name);
ALTER TABLE ONLY tenancy.purges
    ADD CONSTRAINT purges_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY tenancy.purges
    ADD CONSTRAINT purges_schema_name_key UNIQUE (schema_name);
ALTER TABLE ONLY tenancy.registry_identity
    ADD CONSTRAINT registry_identity_pkey PRIMARY KEY (is_only);
ALTER TABLE ONLY tenancy.shared_migrations
    ADD CONSTRAINT shared_migrations_pkey PRIMARY KEY (schema_name, name);
ALTER TABLE ONLY tenancy.spares
    ADD CONSTRAINT spares_pkey PRIMARY KEY (slot);
ALTER TABLE ONLY tenancy.spares
    ADD CONSTRAINT spares_schema_name_key UNIQUE (schema_name);
ALTER TABLE ONLY tenancy.template_migrations
    ADD CONSTRAINT template_migrations_pkey PRIMARY KEY (name);
ALTER TABLE ONLY tenancy.template_prints
    ADD CONSTRAINT template_prints_pkey PRIMARY KEY (structure, server);
ALTER TABLE ONLY tenancy.tenant_audit
    ADD CONSTRAINT tenant_audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.tenant_domains
    ADD CONSTRAINT tenant_domains_pkey PRIMARY KEY (domain);
ALTER TABLE ONLY tenancy.tenant_migrations
    ADD CONSTRAINT tenant_migrations_pkey PRIMARY KEY (tenant_id, name);
ALTER TABLE ONLY tenancy.tenant_settings
    ADD CONSTRAINT tenant_settings_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY tenancy.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY tenancy.tenants
    ADD CONSTRAINT tenants_schema_name_key UNIQUE (schema_name);
ALTER TABLE ONLY tenancy.usage_flushes
    ADD CONSTRAINT usage_flushes_pkey PRIMARY KEY (instance_id);
ALTER TABLE ONLY tenancy.usage_months
    ADD CONSTRAINT usage_months_pkey PRIMARY KEY (tenant_id, month, metric);
CREATE INDEX api_keys_tenant_id_idx ON tenancy.api_keys USING btree (tenant_id, id);
CREATE INDEX idempotency_keys_expires_at_idx ON tenancy.idempotency_keys USING btree (expires_at);
CREATE INDEX master_key_uses_at_idx ON tenancy.master_key_uses USING btree (at);
CREATE UNIQUE INDEX migration_runs_one_at_a_time ON tenancy.migration_runs USING btree ((true)) WHERE (state = 'running'::text);
CREATE INDEX purges_slug_idx ON tenancy.purges USING btree (slug, started_at);
CREATE INDEX tenant_audit_tenant_id_idx ON tenancy.tenant_audit USING btree (tenant_id, id);
CREATE INDEX tenant_domains_tenant_id_idx ON tenancy.tenant_domains USING btree (tenant_id);
CREATE INDEX tenant_migrations_run_id_idx ON tenancy.tenant_migrations USING btree (run_id, tenant_id);
CREATE INDEX tenant_migrations_trouble_idx ON tenancy.tenant_migrations USING btree (at) WHERE (state <> 'done'::text);
CREATE UNIQUE INDEX tenants_slug_key ON tenancy.tenants USING btree (slug) WHERE (status <> 'purged'::text);
CREATE INDEX tenants_status_idx ON tenancy.tenants USING btree (status, id);
CREATE TRIGGER tenancy_notify_rows AFTER INSERT OR DELETE OR UPDATE ON tenancy.api_keys FOR EACH ROW EXECUTE FUNCTION tenancy.notify_tenant_change('tenant_id');
ALTER TABLE tenancy.api_keys ENABLE ALWAYS TRIGGER tenancy_notify_rows;
CREATE TRIGGER tenancy_notify_rows AFTER INSERT OR DELETE OR UPDATE ON tenancy.tenant_domains FOR EACH ROW EXECUTE FUNCTION tenancy.notify_tenant_change('tenant_id');
ALTER TABLE tenancy.tenant_domains ENABLE ALWAYS TRIGGER tenancy_notify_rows;
CREATE TRIGGER tenancy_notify_rows AFTER INSERT OR DELETE OR UPDATE ON tenancy.tenant_settings FOR EACH ROW EXECUTE FUNCTION tenancy.notify_tenant_change('tenant_id');
ALTER TABLE tenancy.tenant_settings ENABLE ALWAYS TRIGGER tenancy_notify_rows;
CREATE TRIGGER tenancy_notify_rows AFTER INSERT OR DELETE OR UPDATE ON tenancy.tenants FOR EACH ROW EXECUTE FUNCTION tenancy.notify_tenant_change('id');
ALTER TABLE tenancy.tenants ENABLE ALWAYS TRIGGER tenancy_notify_rows;
CREATE TRIGGER tenancy_notify_truncation AFTER TRUNCATE ON tenancy.api_keys FOR EACH STATEMENT EXECUTE FUNCTION tenancy.notify_tenant_change('tenant_id');
ALTER TABLE tenancy.api_keys ENABLE ALWAYS TRIGGER tenancy_notify_truncation;
CREATE TRIGGER tenancy_notify_truncation AFTER TRUNCATE ON tenancy.tenant_domains FOR EACH STATEMENT EXECUTE FUNCTION tenancy.notify_tenant_change('tenant_id');
ALTER TABLE tenancy.tenant_domains ENABLE ALWAYS TRIGGER tenancy_notify_truncation;
CREATE TRIGGER tenancy_notify_truncation AFTER TRUNCATE ON tenancy.tenant_settings FOR EACH STATEMENT EXECUTE FUNCTION tenancy.notify_tenant_change('tenant_id');
ALTER TABLE tenancy.tenant_settings ENABLE ALWAYS TRIGGER tenancy_notify_truncation;
CREATE TRIGGER tenancy_notify_truncation AFTER TRUNCATE ON tenancy.tenants FOR EACH STATEMENT EXECUTE FUNCTION tenancy.notify_tenant_change('id');
ALTER TABLE tenancy.tenants ENABLE ALWAYS TRIGGER tenancy_notify_truncation;
ALTER TABLE ONLY tenancy.api_key_uses
    ADD CONSTRAINT api_key_uses_key_id_fkey FOREIGN KEY (key_id) REFERENCES tenancy.api_keys(id) ON DELETE CASCADE;
ALTER TABLE ONLY tenancy.tenant_audit
    ADD CONSTRAINT tenant_audit_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants(id) ON DELETE CASCADE;
ALTER TABLE ONLY tenancy.tenant_domains
    ADD CONSTRAINT tenant_domains_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants(id) ON DELETE CASCADE;
