/** Who may do what, in the forms that are hard to clone. `READER` and `WRITER` stand for roles; each stands alone. */
export function securityTemplates(READER: string, WRITER: string): Readonly<Record<string, string>> {
  const onSchema = (command: string) =>
    `DO $do$ BEGIN EXECUTE replace($c$${command}$c$, 'THIS', quote_ident(current_schema())); END $do$;`;
  return {
    policies: `
      CREATE TABLE secrets (id integer PRIMARY KEY, holder name, level integer);
      CREATE TABLE members (name name, level integer);
      CREATE FUNCTION allowed(integer) RETURNS boolean LANGUAGE sql STABLE RETURN EXISTS (SELECT FROM members m WHERE m.level > $1);
      CREATE POLICY everything ON secrets USING (holder = current_user);
      CREATE POLICY nothing ON secrets FOR SELECT;
      CREATE POLICY "For Some" ON secrets AS RESTRICTIVE FOR DELETE TO ${READER}, ${WRITER}, CURRENT_USER USING (level < 3);
      CREATE POLICY checked ON secrets FOR INSERT TO ${WRITER} WITH CHECK (level IN (SELECT m.level FROM members m WHERE m.name = secrets.holder));
      CREATE POLICY twofold ON secrets FOR UPDATE USING (allowed(level)) WITH CHECK (level > 0);
      COMMENT ON POLICY twofold ON secrets IS 'twofold';
      ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
      ALTER TABLE members FORCE ROW LEVEL SECURITY;
      CREATE TABLE split (id integer) PARTITION BY LIST (id);
      CREATE TABLE split_1 PARTITION OF split DEFAULT;
      ALTER TABLE split ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
      CREATE POLICY of_partitioned ON split USING (id > 0);`,

    'grants on everything': `
      CREATE TABLE t (id serial PRIMARY KEY, a integer, "B c" text, n integer GENERATED ALWAYS AS IDENTITY);
      CREATE TABLE bare (id integer); CREATE TABLE closed (id integer);
      CREATE VIEW v AS SELECT a FROM t;
      CREATE MATERIALIZED VIEW m AS SELECT a FROM t;
      CREATE TABLE p (id integer) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT;
      CREATE FUNCTION f(a integer, VARIADIC b text[] DEFAULT '{}', OUT c integer) LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION f(a text) RETURNS TABLE (x integer) LANGUAGE sql AS 'SELECT 1';
      CREATE PROCEDURE c(IN a integer, INOUT b text, OUT c integer) LANGUAGE plpgsql AS 'BEGIN END';
      CREATE AGGREGATE total(integer) (sfunc = int4pl, stype = integer);
      CREATE AGGREGATE ordered(float8 ORDER BY anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);
      CREATE AGGREGATE counted(*) (sfunc = int8inc, stype = bigint, initcond = 0);
      CREATE TYPE e AS ENUM ('x'); CREATE DOMAIN d AS integer; CREATE TYPE c AS (x integer); CREATE TYPE r AS RANGE (subtype = integer);
      GRANT SELECT, INSERT ON t, v, m, p TO ${READER};
      GRANT SELECT, UPDATE ON t TO ${WRITER} WITH GRANT OPTION;
      GRANT SELECT (a), UPDATE (a, "B c"), REFERENCES ("B c") ON t TO ${READER};
      GRANT SELECT (ctid) ON t TO PUBLIC;
      GRANT INSERT (a) ON t TO ${WRITER} WITH GRANT OPTION;
      GRANT SELECT (a) ON v TO PUBLIC;
      GRANT ALL ON p1 TO ${READER};
      GRANT USAGE, SELECT ON t_id_seq, t_n_seq TO ${READER};
      GRANT UPDATE ON t_n_seq TO PUBLIC;
      GRANT EXECUTE ON FUNCTION f(integer, text[]), f(text) TO ${READER};
      REVOKE EXECUTE ON FUNCTION f(text) FROM PUBLIC;
      REVOKE EXECUTE ON PROCEDURE c FROM PUBLIC;
      REVOKE EXECUTE ON FUNCTION total(integer), ordered(float8, anyelement), counted() FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION total(integer), ordered(float8, anyelement) TO ${WRITER} WITH GRANT OPTION;
      GRANT USAGE ON TYPE e, d, c, r TO ${READER};
      REVOKE USAGE ON TYPE e, d FROM PUBLIC;
      REVOKE ALL ON closed FROM CURRENT_USER;
      REVOKE UPDATE, DELETE ON p FROM CURRENT_USER;
      GRANT SELECT ON bare TO ${READER}; REVOKE SELECT ON bare FROM ${READER};
      CREATE FUNCTION trigger_() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      REVOKE ALL ON FUNCTION trigger_() FROM PUBLIC;`,

    'grants on the schema': `
      CREATE TABLE t (id integer);
      ${onSchema(`GRANT USAGE ON SCHEMA THIS TO ${READER}, PUBLIC`)}
      ${onSchema(`GRANT USAGE, CREATE ON SCHEMA THIS TO ${WRITER} WITH GRANT OPTION`)}
      ${onSchema('REVOKE CREATE ON SCHEMA THIS FROM CURRENT_USER')}`,

    'default privileges': `
      ${onSchema(`ALTER DEFAULT PRIVILEGES IN SCHEMA THIS GRANT SELECT, INSERT ON TABLES TO ${READER}`)}
      ${onSchema(`ALTER DEFAULT PRIVILEGES IN SCHEMA THIS GRANT SELECT ON TABLES TO ${WRITER} WITH GRANT OPTION`)}
      ${onSchema('ALTER DEFAULT PRIVILEGES IN SCHEMA THIS GRANT ALL ON SEQUENCES TO PUBLIC')}
      ${onSchema(`ALTER DEFAULT PRIVILEGES IN SCHEMA THIS GRANT EXECUTE ON FUNCTIONS TO ${READER}`)}
      ${onSchema(`ALTER DEFAULT PRIVILEGES FOR ROLE ${READER} IN SCHEMA THIS GRANT USAGE ON TYPES TO ${WRITER}`)}
      CREATE TABLE usual (id serial);
      CREATE TABLE less (id integer); REVOKE INSERT ON less FROM ${READER};
      CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';`,

    publications: `
      CREATE TABLE whole (id integer PRIMARY KEY);
      CREATE TABLE part (id integer PRIMARY KEY, "B c" text, c integer);
      CREATE TABLE split (id integer PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE split_1 PARTITION OF split DEFAULT;
      ALTER PUBLICATION tables_ ADD TABLE whole, ONLY part ("B c", id) WHERE (id > 5 AND id < 9), split;
      ALTER PUBLICATION "Odd ""one""" ADD TABLE ONLY whole;
      ALTER PUBLICATION schemas_ ADD TABLES IN SCHEMA CURRENT_SCHEMA;`,
  };
}
