/** Types and routines. */
export const ROUTINES: Readonly<Record<string, string>> = {
  types: `
    CREATE TYPE mood AS ENUM ('sad', 'it''s \\ ok', 'happy');
    ALTER TYPE mood ADD VALUE 'calm' AFTER 'sad';
    CREATE TYPE pair AS (a integer, b text COLLATE "C", m mood);
    CREATE TYPE nested_pair AS (p pair, list pair[]);
    CREATE TYPE "Empty Composite" AS ();
    CREATE DOMAIN positive AS integer DEFAULT 1 CONSTRAINT above_zero CHECK (VALUE > 0);
    CREATE DOMAIN small_positive AS positive NOT NULL CHECK (VALUE < 100);
    CREATE DOMAIN word AS text COLLATE "C" CHECK (VALUE ~ '^\\w+$');
    ALTER DOMAIN word ADD CONSTRAINT short CHECK (length(VALUE) < 10) NOT VALID;
    CREATE DOMAIN moods AS mood[] CHECK (cardinality(VALUE) < 4);
    CREATE FUNCTION float_difference(a float8, b float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT a - b $$;
    CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float_difference, multirange_type_name = "Float Ranges");
    CREATE TYPE text_range AS RANGE (subtype = text, collation = "C", subtype_opclass = text_pattern_ops);
    CREATE COLLATION numeric_order (provider = icu, locale = 'en-u-kn-true');
    CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE COLLATION c_copy FROM "C";
    CREATE TABLE typed (m mood DEFAULT 'happy', p pair, n nested_pair, s small_positive, w word, ms moods DEFAULT '{sad}', f float_range, fs "Float Ranges", o text COLLATE numeric_order);
    CREATE TABLE of_type OF pair (a WITH OPTIONS PRIMARY KEY, b DEFAULT 'x');
    COMMENT ON TYPE pair IS 'two'; COMMENT ON COLUMN pair.a IS 'the first';
    COMMENT ON DOMAIN positive IS 'over zero'; COMMENT ON CONSTRAINT above_zero ON DOMAIN positive IS 'it is';
    COMMENT ON COLLATION numeric_order IS '2 before 10'; COMMENT ON TYPE float_range IS 'floats';`,

  functions: `
    CREATE TABLE items (id integer PRIMARY KEY, name text, price numeric);
    CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 7 AS $$ SELECT $1 $$;
    CREATE FUNCTION f(text, VARIADIC rest text[] DEFAULT '{}') RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED AS $$ SELECT $1 $$;
    CREATE FUNCTION g("In" integer, OUT "Out" integer, INOUT both_ text DEFAULT 'it''s') LANGUAGE plpgsql AS $body$ BEGIN "Out" := "In"; END $body$;
    CREATE FUNCTION all_items() RETURNS SETOF items LANGUAGE sql ROWS 12 AS $$ SELECT * FROM items $$;
    CREATE FUNCTION item_table(low numeric DEFAULT 0) RETURNS TABLE (id integer, "Name" text) LANGUAGE sql AS $$ SELECT id, name FROM items WHERE price > low $$;
    CREATE FUNCTION atomic(low numeric) RETURNS SETOF items LANGUAGE sql BEGIN ATOMIC SELECT * FROM items WHERE price > low; SELECT * FROM all_items(); END;
    CREATE FUNCTION returned(x integer) RETURNS integer LANGUAGE sql RETURN x + f(x);
    CREATE FUNCTION definer() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = shared, "Mixed ""case""", pg_temp SET work_mem = '1MB'
      SET application_name = 'it''s, me' AS $$ SELECT current_user::text $$;
    CREATE FUNCTION no_path() RETURNS text LANGUAGE sql SET search_path = '' AS $$ SELECT 'x' $$;
    CREATE PROCEDURE "Do It"(IN a integer, OUT c integer, INOUT b text DEFAULT NULL) LANGUAGE plpgsql AS $$ BEGIN c := a; END $$;
    CREATE PROCEDURE atomic_procedure(x integer) LANGUAGE sql BEGIN ATOMIC INSERT INTO items (id) VALUES (x); END;
    CREATE FUNCTION total(items) RETURNS numeric LANGUAGE sql AS $$ SELECT $1.price * 2 $$;
    CREATE FUNCTION any_(anyelement) RETURNS anyarray LANGUAGE sql AS $$ SELECT ARRAY[$1] $$;
    CREATE TABLE with_functions (id integer DEFAULT f(3), doubled integer GENERATED ALWAYS AS (f(2)) STORED, CHECK (f(id) > 0));
    CREATE INDEX by_function ON with_functions (f(id));
    CREATE VIEW of_function AS SELECT i.id, total(i) FROM items i, item_table(5) t WHERE t.id = i.id;
    COMMENT ON FUNCTION f(integer) IS 'it''s f'; COMMENT ON PROCEDURE "Do It"(integer, integer, text) IS 'does';`,

  'aggregates and operators': `
    CREATE FUNCTION add_up(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 + $2 $$;
    CREATE FUNCTION take_away(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT $1 - $2 $$;
    CREATE FUNCTION show_sum(numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'sum ' || $1 $$;
    CREATE AGGREGATE summed(numeric) (SFUNC = add_up, STYPE = numeric, INITCOND = '0', FINALFUNC = show_sum, COMBINEFUNC = add_up, PARALLEL = SAFE,
      MSFUNC = add_up, MINVFUNC = take_away, MSTYPE = numeric, MINITCOND = '0', MFINALFUNC = show_sum, SSPACE = 32);
    CREATE AGGREGATE summed(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '5');
    CREATE AGGREGATE middle(float8 ORDER BY float8) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_cont_float8_final , FINALFUNC_MODIFY = SHAREABLE);
    CREATE FUNCTION largest_step(numeric, VARIADIC numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT greatest($1, max(x)) FROM unnest($2) x $$;
    CREATE AGGREGATE largest_of(VARIADIC numeric[]) (SFUNC = largest_step, STYPE = numeric);
    CREATE TYPE complex AS (r float8, i float8);
    CREATE FUNCTION complex_eq(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1.r = $2.r AND $1.i = $2.i $$;
    CREATE FUNCTION complex_ne(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT NOT ($1.r = $2.r AND $1.i = $2.i) $$;
    CREATE FUNCTION complex_lt(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1.r < $2.r $$;
    CREATE FUNCTION complex_gt(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1.r > $2.r $$;
    CREATE FUNCTION complex_le(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1.r <= $2.r $$;
    CREATE FUNCTION complex_ge(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1.r >= $2.r $$;
    CREATE FUNCTION complex_cmp(complex, complex) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT sign($1.r - $2.r)::integer $$;
    CREATE FUNCTION complex_negate(complex) RETURNS complex LANGUAGE sql IMMUTABLE AS $$ SELECT ROW(-$1.r, -$1.i)::complex $$;
    CREATE OPERATOR = (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_eq, COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
    CREATE OPERATOR <> (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_ne, COMMUTATOR = <>, NEGATOR = =);
    CREATE OPERATOR < (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_lt, COMMUTATOR = >, NEGATOR = >=);
    CREATE OPERATOR > (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_gt, COMMUTATOR = <, NEGATOR = <=);
    CREATE OPERATOR <= (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_le, COMMUTATOR = >=, NEGATOR = >);
    CREATE OPERATOR >= (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_ge, COMMUTATOR = <=, NEGATOR = <);
    CREATE OPERATOR !! (RIGHTARG = complex, FUNCTION = complex_negate);
    CREATE OPERATOR FAMILY complex_family USING btree;
    CREATE OPERATOR CLASS complex_ops DEFAULT FOR TYPE complex USING btree FAMILY complex_family AS
      OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 complex_cmp(complex, complex);
    CREATE TABLE numbers (c complex, d complex, CHECK (c <> d));
    CREATE INDEX numbers_c ON numbers (c);
    CREATE FUNCTION complex_to_text(complex) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1.r || 'i' || $1.i $$;
    CREATE CAST (complex AS text) WITH FUNCTION complex_to_text(complex) AS ASSIGNMENT;
    COMMENT ON AGGREGATE summed(numeric) IS 'sums'; COMMENT ON OPERATOR = (complex, complex) IS 'alike';
    COMMENT ON OPERATOR CLASS complex_ops USING btree IS 'order'; COMMENT ON OPERATOR FAMILY complex_family USING btree IS 'family';
    COMMENT ON CAST (complex AS text) IS 'shown';`,

  'text search': `
    CREATE TEXT SEARCH DICTIONARY plain_words (TEMPLATE = pg_catalog.simple, STOPWORDS = english, ACCEPT = false);
    CREATE TEXT SEARCH DICTIONARY "Stems" (TEMPLATE = snowball, LANGUAGE = german);
    CREATE TEXT SEARCH CONFIGURATION german_words (COPY = pg_catalog.german);
    ALTER TEXT SEARCH CONFIGURATION german_words ALTER MAPPING FOR asciiword, word WITH "Stems", plain_words;
    ALTER TEXT SEARCH CONFIGURATION german_words DROP MAPPING FOR url;
    CREATE TEXT SEARCH CONFIGURATION from_nothing (PARSER = "default");
    ALTER TEXT SEARCH CONFIGURATION from_nothing ADD MAPPING FOR word WITH plain_words;
    CREATE TABLE pages (body text, words tsvector GENERATED ALWAYS AS (to_tsvector('german_words', body)) STORED);
    CREATE INDEX pages_words ON pages USING gin (words);
    COMMENT ON TEXT SEARCH CONFIGURATION german_words IS 'German'; COMMENT ON TEXT SEARCH DICTIONARY "Stems" IS 'stems';`,
};
