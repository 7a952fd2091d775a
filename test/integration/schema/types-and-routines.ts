/** Types of every kind, and what gives them their meaning, in forms that depend on each other and on tables. */
export const TYPES = `
  CREATE COLLATION numeric_order (PROVIDER = icu, LOCALE = 'en-u-kn-true');
  CREATE COLLATION "No Case" (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
  CREATE COLLATION plain FROM "C";
  CREATE COLLATION ucs FROM ucs_basic;
  COMMENT ON COLLATION numeric_order IS '2 before 10';

  CREATE TYPE mood AS ENUM ('sad', 'it''s \\ ok', 'happy');
  ALTER TYPE mood ADD VALUE 'calm' AFTER 'sad';
  CREATE TYPE nobody AS ENUM ();

  CREATE TYPE "Mixed Case" AS ("a b" integer, "select" text COLLATE "C", at timestamp(3), amounts numeric(8, 2)[], m mood);
  ALTER TYPE "Mixed Case" ADD ATTRIBUTE gone integer;
  ALTER TYPE "Mixed Case" DROP ATTRIBUTE gone, ADD ATTRIBUTE last "char";
  CREATE TYPE nothing AS ();
  COMMENT ON TYPE "Mixed Case" IS 'it''s two';
  COMMENT ON COLUMN "Mixed Case"."a b" IS 'the first';

  CREATE DOMAIN parent AS varchar(10) COLLATE "C" DEFAULT 'x' CONSTRAINT "not empty" CHECK (VALUE <> '');
  CREATE DOMAIN child AS parent NOT NULL CHECK (length(VALUE) < 5);
  CREATE DOMAIN heir AS parent;
  CREATE DOMAIN disinherited AS parent;
  ALTER DOMAIN disinherited DROP DEFAULT;
  CREATE DOMAIN late AS integer CHECK (VALUE < 1000);
  ALTER DOMAIN late ADD CONSTRAINT unproven CHECK (VALUE > 0) NOT VALID;
  CREATE DOMAIN bits AS bit(3)[] DEFAULT '{101}';
  CREATE DOMAIN moods AS mood[] CHECK (cardinality(VALUE) < 3);
  CREATE DOMAIN pair AS "Mixed Case" CHECK ((VALUE)."a b" > 0);
  CREATE SEQUENCE ticket_numbers START 70;
  CREATE DOMAIN ticket AS bigint DEFAULT nextval('ticket_numbers');
  CREATE DOMAIN looped AS integer;
  CREATE FUNCTION is_small(integer, others looped[] DEFAULT '{}') RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 9';
  -- From 15.20 on PostgreSQL refuses a check that is to be validated where a function takes an array of the domain.
  ALTER DOMAIN looped ADD CONSTRAINT small CHECK (is_small(VALUE)) NOT VALID;
  COMMENT ON DOMAIN parent IS 'a word';
  COMMENT ON CONSTRAINT "not empty" ON DOMAIN parent IS 'never';

  CREATE FUNCTION days(date, date) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT ($1 - $2)::float8';
  CREATE TYPE stay AS RANGE (subtype = date, subtype_diff = days, multirange_type_name = "Many Stays");
  CREATE TYPE first_name AS RANGE (subtype = text, collation = numeric_order, subtype_opclass = text_pattern_ops);
  ALTER TYPE first_name RENAME TO second_name;
  CREATE TYPE mood_range AS RANGE (subtype = mood);
  COMMENT ON TYPE stay IS 'nights';
  COMMENT ON TYPE "Many Stays" IS 'holidays';
  COMMENT ON FUNCTION first_name(text, text) IS 'kept its name';

  CREATE TABLE guests (
    id integer PRIMARY KEY, m mood DEFAULT 'happy', p "Mixed Case", pairs pair[], w child, h heir, d disinherited, l looped, ls looped[],
    n ticket, ms moods DEFAULT '{sad}', s stay DEFAULT stay('2020-01-01', '2020-02-01'), many "Many Stays" DEFAULT "Many Stays"(),
    renamed second_name DEFAULT first_name('a', 'b'), r mood_range CHECK (r && mood_range('sad', 'happy')), sorted text COLLATE numeric_order,
    name text COLLATE "No Case" UNIQUE, latest late
  );
  CREATE TYPE party AS (host guests, others guests[]);
  CREATE FUNCTION size(p party, VARIADIC more guests[] DEFAULT '{}') RETURNS integer LANGUAGE sql IMMUTABLE
    RETURN 1 + cardinality((p).others) + cardinality(more);
  CREATE TABLE parties (id integer, p party, CHECK (size(p) < 4));

  CREATE FUNCTION mood_number(mood) RETURNS integer LANGUAGE sql IMMUTABLE
    AS 'SELECT array_position(enum_range(NULL::mood), $1)';
  CREATE CAST (mood AS integer) WITH FUNCTION mood_number(mood) AS IMPLICIT;
  CREATE CAST (mood AS text) WITH INOUT AS ASSIGNMENT;
  CREATE CAST (integer AS stay) WITH INOUT;
  CREATE CAST (guests AS text) WITH INOUT;
  COMMENT ON CAST (mood AS text) IS 'words';
  CREATE DOMAIN above_sad AS mood CHECK (VALUE::integer > 1);
  CREATE FUNCTION a_number(m mood DEFAULT 'sad') RETURNS integer LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT NULL::integer::stay IS NULL; SELECT m::integer; END;

  CREATE CONVERSION "Conv One" FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
  CREATE DEFAULT CONVERSION conv_two FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
  COMMENT ON CONVERSION conv_two IS 'one way';

  CREATE TEXT SEARCH PARSER "My Parser" (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
  CREATE TEXT SEARCH TEMPLATE own_simple (INIT = dsimple_init, LEXIZE = dsimple_lexize);
  CREATE TEXT SEARCH DICTIONARY z_words (TEMPLATE = own_simple, STOPWORDS = english, ACCEPT = false);
  CREATE TEXT SEARCH DICTIONARY z_stems (TEMPLATE = snowball, LANGUAGE = english);
  CREATE TEXT SEARCH DICTIONARY a_thesaurus (TEMPLATE = thesaurus, DICTFILE = thesaurus_sample, DICTIONARY = z_stems);
  CREATE TEXT SEARCH CONFIGURATION "Own Words" (PARSER = "My Parser");
  ALTER TEXT SEARCH CONFIGURATION "Own Words" ADD MAPPING FOR asciiword, word WITH a_thesaurus, z_words, z_stems;
  ALTER TEXT SEARCH CONFIGURATION "Own Words" ADD MAPPING FOR uint WITH pg_catalog.simple;
  COMMENT ON TEXT SEARCH PARSER "My Parser" IS 'p';
  COMMENT ON TEXT SEARCH TEMPLATE own_simple IS 't';
  COMMENT ON TEXT SEARCH DICTIONARY z_words IS 'd';
  COMMENT ON TEXT SEARCH CONFIGURATION "Own Words" IS 'c';
  CREATE TABLE pages (body text, words tsvector GENERATED ALWAYS AS (to_tsvector('"Own Words"', body)) STORED, config regconfig DEFAULT '"Own Words"');
  CREATE INDEX pages_body ON pages USING gin (to_tsvector('"Own Words"', body));`;

/** Functions, aggregates, operators and operator classes. */
export const ROUTINES = `
  CREATE TABLE items (id integer PRIMARY KEY, name text, price numeric);
  CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 7 AS 'SELECT $1 + 1';
  CREATE FUNCTION f("In" text, VARIADIC rest text[] DEFAULT '{}') RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED AS 'SELECT $1';
  CREATE FUNCTION f("In" boolean, OUT "Out" boolean, INOUT both_ text DEFAULT 'it''s') LANGUAGE plpgsql AS $$ BEGIN "Out" := "In"; END $$;
  CREATE FUNCTION priced(low numeric DEFAULT 0) RETURNS TABLE (id integer, "Name" text) LANGUAGE sql ROWS 12
    AS 'SELECT id, name FROM items WHERE price > low';
  CREATE FUNCTION fits(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE SUPPORT textlike_support AS 'SELECT $1 LIKE $2';
  CREATE FUNCTION factorial_of(n integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
  CREATE OR REPLACE FUNCTION factorial_of(n integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC
    SELECT CASE WHEN n < 2 THEN 1 ELSE n * factorial_of(n - 1) END; END;
  CREATE FUNCTION settled() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = shared, "a, ""b""", pg_temp SET "app.own" = 'it''s, me'
    AS $$ BEGIN RETURN current_setting('app.own'); END $$;
  CREATE PROCEDURE "Do It"(IN a integer, INOUT b text, OUT c integer) LANGUAGE plpgsql AS $$ BEGIN b := b || a; c := a; END $$;
  CREATE PROCEDURE add_item(x integer) LANGUAGE sql BEGIN ATOMIC INSERT INTO items (id) VALUES (x); END;

  CREATE FUNCTION add_up(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT $1 + $2';
  CREATE FUNCTION take_away(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 - $2';
  CREATE FUNCTION shown(numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'sum ' || $1 $$;
  CREATE AGGREGATE summed(numeric) (SFUNC = add_up, STYPE = numeric, INITCOND = '0', FINALFUNC = shown, COMBINEFUNC = add_up, PARALLEL = SAFE,
    MSFUNC = add_up, MINVFUNC = take_away, MSTYPE = numeric, MINITCOND = '0', MFINALFUNC = shown, SSPACE = 32, MSSPACE = 64);
  CREATE AGGREGATE summed(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '5');
  CREATE AGGREGATE mean(bigint) (SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = numeric_poly_avg, COMBINEFUNC = int8_avg_combine,
    SERIALFUNC = int8_avg_serialize, DESERIALFUNC = int8_avg_deserialize, PARALLEL = RESTRICTED);
  CREATE AGGREGATE least_of(integer) (SFUNC = int4smaller, STYPE = integer, SORTOP = <);
  CREATE AGGREGATE glued(text) (SFUNC = textcat, STYPE = text, INITCOND = E'it''s \\\\ ');
  CREATE AGGREGATE middle(float8 ORDER BY float8) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_cont_float8_final,
    FINALFUNC_MODIFY = SHAREABLE);
  CREATE AGGREGATE place(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal,
    FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
  COMMENT ON AGGREGATE summed(*) IS 'counts';
  COMMENT ON AGGREGATE place(VARIADIC "any" ORDER BY VARIADIC "any") IS 'rank';
  CREATE FUNCTION a_sum() RETURNS text LANGUAGE sql STABLE RETURN (SELECT summed(price) FROM items);

  CREATE TYPE complex AS (r float8, i float8);
  CREATE FUNCTION complex_eq(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.r = $2.r AND $1.i = $2.i';
  CREATE FUNCTION complex_ne(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.r <> $2.r OR $1.i <> $2.i';
  CREATE FUNCTION complex_lt(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.r < $2.r';
  CREATE FUNCTION complex_le(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.r <= $2.r';
  CREATE FUNCTION complex_gt(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.r > $2.r';
  CREATE FUNCTION complex_ge(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.r >= $2.r';
  CREATE FUNCTION complex_cmp(complex, complex) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT sign($1.r - $2.r)::integer';
  CREATE FUNCTION complex_cmp(complex, float8) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT sign($1.r - $2)::integer';
  CREATE FUNCTION complex_lt(complex, float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.r < $2';
  CREATE FUNCTION negative(complex) RETURNS complex LANGUAGE sql IMMUTABLE AS 'SELECT ROW(-$1.r, -$1.i)::complex';
  CREATE OPERATOR = (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_eq, COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, MERGES);
  CREATE OPERATOR <> (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_ne, COMMUTATOR = <>, NEGATOR = =);
  CREATE OPERATOR < (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_lt, COMMUTATOR = >, NEGATOR = >=);
  CREATE OPERATOR > (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_gt, COMMUTATOR = <, NEGATOR = <=);
  CREATE OPERATOR <= (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_le, COMMUTATOR = >=, NEGATOR = >);
  CREATE OPERATOR >= (LEFTARG = complex, RIGHTARG = complex, FUNCTION = complex_ge, COMMUTATOR = <=, NEGATOR = <);
  CREATE OPERATOR < (LEFTARG = complex, RIGHTARG = float8, FUNCTION = complex_lt, COMMUTATOR = @#>);
  CREATE OPERATOR - (RIGHTARG = complex, FUNCTION = negative);
  COMMENT ON OPERATOR = (complex, complex) IS 'alike';
  COMMENT ON OPERATOR - (NONE, complex) IS 'turned';
  CREATE OPERATOR FAMILY "Complex Family" USING btree;
  CREATE OPERATOR CLASS by_real DEFAULT FOR TYPE complex USING btree FAMILY "Complex Family" AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 complex_cmp(complex, complex);
  ALTER OPERATOR FAMILY "Complex Family" USING btree ADD OPERATOR 1 < (complex, float8), FUNCTION 1 (complex, float8) complex_cmp(complex, float8);
  CREATE FUNCTION reversed(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $2 - $1';
  CREATE OPERATOR CLASS backwards FOR TYPE integer USING btree AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 reversed(integer, integer);
  CREATE OPERATOR CLASS points FOR TYPE point USING gist AS OPERATOR 1 <<, OPERATOR 15 <->(point, point) FOR ORDER BY float_ops,
    FUNCTION 1 gist_point_consistent(internal, point, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal),
    FUNCTION 3 gist_point_compress(internal), FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal),
    FUNCTION 7 gist_box_same(box, box, internal), FUNCTION 8 gist_point_distance(internal, point, smallint, oid, internal), STORAGE box;
  CREATE TYPE colour AS ENUM ('red', 'green');
  CREATE OPERATOR CLASS of_enums FOR TYPE colour USING hash AS OPERATOR 1 =(anyenum, anyenum), FUNCTION 1 hashenum(anyenum);
  COMMENT ON OPERATOR CLASS by_real USING btree IS 'order';
  COMMENT ON OPERATOR FAMILY "Complex Family" USING btree IS 'family';
  CREATE TABLE numbers (c complex PRIMARY KEY, d complex, n integer, at point, hue colour, CHECK (c <> d));
  CREATE INDEX numbers_d ON numbers (d);
  CREATE INDEX numbers_n ON numbers (n backwards);
  CREATE INDEX numbers_at ON numbers USING gist (at points);
  CREATE FUNCTION a_sorted() RETURNS SETOF numbers LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM numbers ORDER BY d DESC; END;
  CREATE FUNCTION row_like(items, items) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.id = $2.id';
  CREATE OPERATOR ~=~ (LEFTARG = items, RIGHTARG = items, FUNCTION = row_like);
  ALTER TABLE items ADD CONSTRAINT like_itself CHECK (items.* ~=~ items.*);`;
