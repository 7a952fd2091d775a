/** Who may do what. The roles are those of `ROLES`. */
export const SECURITY: Readonly<Record<string, string>> = {
  'row security': `
    CREATE TABLE secrets (id integer PRIMARY KEY, owner name, level integer);
    CREATE TABLE members (name name PRIMARY KEY);
    ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
    ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
    CREATE TABLE enabled_only (id integer);
    ALTER TABLE enabled_only ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON secrets USING (owner = current_user);
    CREATE POLICY "no deletes" ON secrets AS RESTRICTIVE FOR DELETE TO every_object_reader, "odd ""role"" of every object" USING (level < 3);
    CREATE POLICY through_others ON secrets FOR INSERT TO every_object_reader WITH CHECK (EXISTS (SELECT FROM members m WHERE m.name = current_user AND secrets.level > 0));
    CREATE POLICY changes ON secrets FOR UPDATE USING (true) WITH CHECK (level > 0);
    COMMENT ON POLICY own ON secrets IS 'mine';`,

  grants: `
    CREATE TABLE granted (id serial PRIMARY KEY, a integer, b text);
    CREATE VIEW granted_view AS SELECT a FROM granted;
    CREATE SEQUENCE granted_sequence;
    CREATE FUNCTION granted_function(x integer) RETURNS integer LANGUAGE sql AS $$ SELECT x $$;
    CREATE FUNCTION closed_function() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;
    CREATE PROCEDURE granted_procedure() LANGUAGE sql AS $$ SELECT 1 $$;
    CREATE TYPE granted_type AS ENUM ('a');
    CREATE DOMAIN granted_domain AS integer;
    GRANT SELECT, INSERT ON granted TO every_object_reader WITH GRANT OPTION;
    GRANT UPDATE (a, b), REFERENCES (b) ON granted TO "odd ""role"" of every object";
    GRANT ALL ON granted_view TO PUBLIC;
    GRANT USAGE ON SEQUENCE granted_sequence TO every_object_reader;
    GRANT SELECT ON SEQUENCE granted_id_seq TO every_object_reader;
    REVOKE ALL ON FUNCTION closed_function() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION granted_function(integer) TO "odd ""role"" of every object";
    REVOKE ALL ON PROCEDURE granted_procedure() FROM PUBLIC;
    GRANT USAGE ON TYPE granted_type TO every_object_reader;
    REVOKE USAGE ON TYPE granted_domain FROM PUBLIC;
    CREATE TABLE emptied_of_grants (id integer);
    REVOKE ALL ON emptied_of_grants FROM CURRENT_USER;
    DO $do$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO every_object_reader, "odd ""role"" of every object"', current_schema()); END $do$;`,

  'default privileges': `
    DO $do$ BEGIN
      EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO every_object_reader', current_schema());
      EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE ON SEQUENCES TO "odd ""role"" of every object" WITH GRANT OPTION', current_schema());
      EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT EXECUTE ON FUNCTIONS TO every_object_reader', current_schema());
    END $do$;
    CREATE TABLE made_under_defaults (id serial);
    CREATE TABLE made_and_changed (id integer);
    REVOKE SELECT ON made_and_changed FROM every_object_reader;`,
};

/** Roles belong to the server, so they have names that nobody else takes. */
export const ROLES = ['every_object_reader', '"odd ""role"" of every object"'] as const;
