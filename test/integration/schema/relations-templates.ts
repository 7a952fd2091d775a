/** Tables and what belongs to them, in the forms that are hard to clone. By subject; each stands alone. */
export const RELATION_TEMPLATES: Readonly<Record<string, string>> = {
  'typed tables': `
    CREATE TYPE pair AS (a integer, b text);
    CREATE TABLE typed OF pair (a WITH OPTIONS PRIMARY KEY DEFAULT 4, CONSTRAINT filled CHECK (b <> ''));
    CREATE TABLE typed_elsewhere OF shared.pair;
    ALTER TABLE typed ALTER b SET STORAGE EXTERNAL;`,

  'tables of another access method': `
    CREATE TABLE piled (id integer PRIMARY KEY) USING pile;
    CREATE MATERIALIZED VIEW piled_view USING pile AS SELECT id FROM piled;`,

  'marks on tables': `
    CREATE TABLE full_ (id integer); ALTER TABLE full_ REPLICA IDENTITY FULL;
    CREATE TABLE nothing_ (id integer); ALTER TABLE nothing_ REPLICA IDENTITY NOTHING;
    CREATE TABLE "By Index" (id integer NOT NULL, other integer NOT NULL UNIQUE);
    CREATE UNIQUE INDEX "The Index" ON "By Index" (id); ALTER TABLE "By Index" REPLICA IDENTITY USING INDEX "The Index";
    ALTER TABLE "By Index" CLUSTER ON "By Index_other_key";
    CREATE MATERIALIZED VIEW clustered_view AS SELECT 1 AS x;
    CREATE UNIQUE INDEX clustered_view_x ON clustered_view (x); ALTER MATERIALIZED VIEW clustered_view CLUSTER ON clustered_view_x;
    CREATE INDEX expressions ON full_ ((id + 1), (id + 2), id);
    ALTER INDEX expressions ALTER 1 SET STATISTICS 5, ALTER 2 SET STATISTICS 0;`,

  'unlogged tables': `
    CREATE UNLOGGED TABLE fleeting (id serial, n integer GENERATED ALWAYS AS IDENTITY);
    CREATE UNLOGGED SEQUENCE fleeting_numbers;
    CREATE UNLOGGED TABLE fleeting_child (more text) INHERITS (fleeting);`,

  'sequences that belong elsewhere': `
    CREATE TABLE one (id serial, later integer);
    CREATE TABLE other (id integer DEFAULT nextval('one_id_seq'));
    ALTER SEQUENCE one_id_seq RENAME TO "Renamed Seq";
    ALTER SEQUENCE "Renamed Seq" OWNED BY other.id;
    CREATE VIEW over AS SELECT id FROM one;
    CREATE SEQUENCE of_view OWNED BY over.id;
    CREATE SEQUENCE free AS smallint INCREMENT -2 MINVALUE -10 MAXVALUE 10 START 4 CACHE 3 CYCLE;
    SELECT setval('free', 2, false);
    CREATE TABLE narrow (id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME "Narrow Seq" START 50 INCREMENT 5 CYCLE MAXVALUE 500));
    ALTER TABLE narrow ALTER id TYPE integer;`,

  'keys with parameters': `
    CREATE TABLE keyed (id integer, code text, span int4range,
      CONSTRAINT first_ PRIMARY KEY (id) INCLUDE (code) WITH (fillfactor = 70, deduplicate_items = off) DEFERRABLE INITIALLY DEFERRED,
      CONSTRAINT twice UNIQUE (id),
      CONSTRAINT apart EXCLUDE USING gist (span WITH &&) WITH (fillfactor = 50) WHERE (id > 1) DEFERRABLE);
    ALTER TABLE keyed ADD CONSTRAINT thrice UNIQUE (id) WITH (fillfactor = 60);`,

  'foreign keys in circles': `
    CREATE TABLE a (id integer PRIMARY KEY, b integer, self integer REFERENCES a ON DELETE SET NULL (self), country char(2) REFERENCES shared.countries);
    CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE a ADD CONSTRAINT to_b FOREIGN KEY (b) REFERENCES b ON UPDATE CASCADE NOT VALID;`,

  'partitions of every kind': `
    CREATE TYPE region AS ENUM ('eu', 'us', 'asia');
    CREATE FUNCTION bucket(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 10';
    CREATE TABLE sales (id integer NOT NULL, region region NOT NULL, day date NOT NULL, amount numeric CONSTRAINT positive CHECK (amount > 0),
      doubled numeric GENERATED ALWAYS AS (amount * 2) STORED, CONSTRAINT late CHECK (id > 0)) PARTITION BY LIST (region);
    CREATE TABLE sales_eu PARTITION OF sales FOR VALUES IN ('eu') PARTITION BY RANGE (day, bucket(id));
    CREATE TABLE sales_eu_1 PARTITION OF sales_eu FOR VALUES FROM ('2024-01-01', MINVALUE) TO ('2024-07-01', 5) PARTITION BY HASH (id);
    CREATE UNLOGGED TABLE sales_eu_1_a PARTITION OF sales_eu_1 FOR VALUES WITH (MODULUS 4, REMAINDER 1) WITH (fillfactor = 33);
    CREATE TABLE sales_eu_rest PARTITION OF sales_eu DEFAULT;
    CREATE TABLE sales_us (gone integer, doubled numeric GENERATED ALWAYS AS (amount * 2) STORED, day date DEFAULT '2020-01-01' NOT NULL, amount numeric,
      region region NOT NULL, id integer NOT NULL, CONSTRAINT positive CHECK (amount > 0), CONSTRAINT late CHECK (id > 0), CONSTRAINT own CHECK (day > '2000-01-01'));
    ALTER TABLE sales_us DROP gone;
    ALTER TABLE sales ATTACH PARTITION sales_us FOR VALUES IN ('us', 'asia');
    ALTER TABLE sales ADD CONSTRAINT unsure CHECK (amount < 1000) NOT VALID;
    ALTER TABLE sales_us VALIDATE CONSTRAINT unsure;
    ALTER TABLE sales ADD CONSTRAINT by_function CHECK (bucket(id) >= 0);
    ALTER TABLE sales_us ALTER amount SET STATISTICS 9, ALTER amount SET STORAGE PLAIN;
    CREATE STATISTICS sales_statistics ON id, day FROM sales;
    COMMENT ON TABLE sales_eu_1 IS 'second'; COMMENT ON CONSTRAINT own ON sales_us IS 'own'; COMMENT ON COLUMN sales_us.day IS 'day';`,

  'keys and indexes of partitions': `
    CREATE TABLE p (id integer, k integer, note text) PARTITION BY LIST (k);
    CREATE TABLE p1 (id integer, k integer, note text, CONSTRAINT "own key" PRIMARY KEY (id, k));
    CREATE INDEX "own index" ON p1 (note) WITH (fillfactor = 44);
    CREATE INDEX p1_twin ON p1 (note);
    ALTER TABLE p ADD CONSTRAINT p_key PRIMARY KEY (id, k) WITH (fillfactor = 55);
    ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
    CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY HASH (id);
    CREATE TABLE p2_0 PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE INDEX notes ON p (note);
    CREATE UNIQUE INDEX uniques ON p (k, id) INCLUDE (note);
    CREATE INDEX waiting ON ONLY p (lower(note));
    CREATE INDEX half ON ONLY p2 (id DESC);
    ALTER TABLE p ADD CONSTRAINT another UNIQUE (k, id) DEFERRABLE;
    ALTER TABLE p REPLICA IDENTITY FULL;
    COMMENT ON INDEX notes IS 'of all'; COMMENT ON INDEX "own index" IS 'of one'; COMMENT ON CONSTRAINT p_key ON p IS 'key';`,

  'foreign keys to and from partitions': `
    CREATE TABLE target (id integer PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE target_1 PARTITION OF target FOR VALUES FROM (0) TO (10);
    CREATE TABLE target_2 PARTITION OF target FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
    CREATE TABLE target_2_a PARTITION OF target_2 DEFAULT;
    CREATE TABLE plain (id integer PRIMARY KEY);
    CREATE TABLE source (id integer, t integer CONSTRAINT to_target REFERENCES target ON DELETE CASCADE, p integer, self integer) PARTITION BY LIST (id);
    CREATE TABLE source_1 (id integer, t integer, p integer CONSTRAINT "own name" REFERENCES plain ON DELETE SET NULL, self integer, CONSTRAINT to_target CHECK (t <> 3));
    ALTER TABLE source ADD CONSTRAINT to_plain FOREIGN KEY (p) REFERENCES plain ON DELETE SET NULL;
    ALTER TABLE source ATTACH PARTITION source_1 FOR VALUES IN (1);
    CREATE TABLE source_2 PARTITION OF source FOR VALUES IN (2) PARTITION BY HASH (t);
    CREATE TABLE source_2_a PARTITION OF source_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    ALTER TABLE source_2_a ADD CONSTRAINT only_here FOREIGN KEY (self) REFERENCES plain;
    CREATE TABLE outside (t integer REFERENCES target DEFERRABLE, again integer, CONSTRAINT again FOREIGN KEY (again) REFERENCES target);`,

  'triggers of partitions': `
    CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TABLE p (id integer, k integer) PARTITION BY LIST (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY LIST (k);
    CREATE TABLE p1_a PARTITION OF p1 DEFAULT;
    CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
    CREATE TRIGGER rows_ BEFORE INSERT OR UPDATE OF k ON p FOR EACH ROW WHEN (NEW.k > 1) EXECUTE FUNCTION act('x');
    CREATE TRIGGER statements AFTER INSERT ON p FOR EACH STATEMENT EXECUTE FUNCTION act();
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON p DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION act();
    CREATE TRIGGER own BEFORE DELETE ON p2 FOR EACH ROW EXECUTE FUNCTION act();
    ALTER TABLE p2 DISABLE TRIGGER rows_;
    ALTER TABLE ONLY p ENABLE ALWAYS TRIGGER late;
    COMMENT ON TRIGGER rows_ ON p IS 'rows';`,

  'identities of partitioned tables': `
    CREATE TABLE p (id integer GENERATED ALWAYS AS IDENTITY, k integer, n serial) PARTITION BY LIST (k);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    CREATE TABLE p2 (k integer, id integer NOT NULL, n integer NOT NULL DEFAULT 7);
    ALTER TABLE p ATTACH PARTITION p2 DEFAULT;`,

  'inheritance from several parents': `
    CREATE TABLE named (name text NOT NULL DEFAULT 'x', note text);
    CREATE TABLE aged (age integer DEFAULT 1 CONSTRAINT old CHECK (age >= 0), name text, CHECK (name <> 'aged') NO INHERIT);
    CREATE TABLE child (own integer GENERATED BY DEFAULT AS IDENTITY, age integer DEFAULT 5) INHERITS (named, aged) WITH (fillfactor = 77);
    CREATE TABLE grandchild (extra integer PRIMARY KEY, name text NOT NULL) INHERITS (child);
    CREATE TABLE adopted (age integer, first_ integer, name text NOT NULL, CONSTRAINT old CHECK (age >= 0), note text);
    ALTER TABLE adopted INHERIT aged; ALTER TABLE adopted INHERIT named;
    CREATE TABLE "Under Adopted" () INHERITS (adopted);
    ALTER TABLE child ALTER name DROP DEFAULT, ALTER note SET STORAGE MAIN, ALTER note SET STATISTICS 3;
    ALTER TABLE grandchild ADD FOREIGN KEY (extra) REFERENCES grandchild;
    ALTER TABLE ONLY named ALTER note SET DEFAULT 'late';
    COMMENT ON COLUMN grandchild.age IS 'inherited'; COMMENT ON CONSTRAINT old ON child IS 'inherited too';`,

  'inheritance that grew': `
    CREATE FUNCTION fine(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE TABLE top (id integer);
    CREATE TABLE "left" (l integer) INHERITS (top);
    CREATE TABLE "right" (r integer) INHERITS (top);
    CREATE TABLE bottom (b integer) INHERITS ("left", "right");
    ALTER TABLE top ADD late text COLLATE "C" NOT NULL DEFAULT 'l', ADD sum integer GENERATED ALWAYS AS (id + 1) STORED;
    ALTER TABLE "right" ADD later integer, ADD CONSTRAINT by_function CHECK (fine(later));
    ALTER TABLE top ADD CONSTRAINT unsure CHECK (id > 0) NOT VALID;
    ALTER TABLE bottom VALIDATE CONSTRAINT unsure;
    ALTER TABLE bottom ADD CONSTRAINT own CHECK (fine(b)) NOT VALID;
    ALTER TABLE "left" DROP l;
    ALTER TABLE top ADD again integer;
    CREATE TABLE apart (x integer) INHERITS (top);`,

  'materialized views on one another': `
    CREATE TABLE base (id integer PRIMARY KEY, name text);
    CREATE MATERIALIZED VIEW z_first AS SELECT id, name FROM base;
    CREATE VIEW between_ AS SELECT * FROM z_first;
    CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM between_; END;
    CREATE MATERIALIZED VIEW a_second WITH (fillfactor = 50, toast.autovacuum_enabled = off) AS SELECT total() AS total, name FROM between_;
    CREATE MATERIALIZED VIEW empty AS SELECT * FROM a_second WITH NO DATA;
    CREATE UNIQUE INDEX z_first_id ON z_first (id);
    CREATE INDEX lowered ON a_second (lower(name)) WHERE total > 0;
    CREATE STATISTICS of_view ON total, name FROM a_second;
    ALTER MATERIALIZED VIEW z_first ALTER name SET STORAGE EXTERNAL, ALTER name SET STATISTICS 4, ALTER name SET (n_distinct = 2), ALTER name SET COMPRESSION pglz;
    COMMENT ON MATERIALIZED VIEW empty IS 'empty'; COMMENT ON COLUMN empty.name IS 'name';`,

  'extended statistics': `
    CREATE TABLE measured (a integer, b integer, c text);
    CREATE STATISTICS everything ON a, b, c FROM measured;
    CREATE STATISTICS "One Kind" (ndistinct) ON a, b FROM measured;
    CREATE STATISTICS two_kinds (dependencies, mcv) ON a, lower(c) FROM measured;
    CREATE STATISTICS single ON (a + b) FROM measured;
    ALTER STATISTICS everything SET STATISTICS 0;
    ALTER STATISTICS single SET STATISTICS 77;
    COMMENT ON STATISTICS single IS 'one';`,

  'rules of all kinds': `
    CREATE TABLE t (id integer PRIMARY KEY, note text);
    CREATE TABLE log (line text);
    CREATE VIEW v AS SELECT id, note FROM t;
    CREATE RULE ins AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.note) RETURNING t.id, t.note;
    CREATE RULE upd AS ON UPDATE TO v WHERE OLD.id > 1 DO INSTEAD (UPDATE t SET note = NEW.note WHERE id = OLD.id; INSERT INTO log SELECT 'it''s; ' || NEW.note FROM t WHERE (t.id + 1) * 2 > 3);
    CREATE RULE upd_all AS ON UPDATE TO v DO INSTEAD NOTHING;
    CREATE RULE "Note It" AS ON DELETE TO t DO ALSO NOTIFY changes, 'gone';
    CREATE RULE replica AS ON DELETE TO t DO ALSO INSERT INTO log VALUES ('replica'); ALTER TABLE t ENABLE REPLICA RULE replica;
    CREATE RULE always AS ON DELETE TO t DO ALSO INSERT INTO log VALUES ('always'); ALTER TABLE t ENABLE ALWAYS RULE always;
    CREATE RULE off AS ON DELETE TO t DO INSTEAD NOTHING; ALTER TABLE t DISABLE RULE off;
    COMMENT ON RULE ins ON v IS 'in'; COMMENT ON RULE "_RETURN" ON v IS 'the view itself'; COMMENT ON RULE "Note It" ON t IS 'out';`,

  'hostile names': [
    'Mixed Case',
    'select',
    'quo"te',
    "apo'strophe",
    'semi;colon--',
    '%I %s',
    'ünïcödé ✓',
    'n'.repeat(63),
  ]
    .map((name, place) => ({ q: `"${name.replaceAll('"', '""')}"`, t: `t${place}` }))
    .map(
      ({ q, t }) => `
        CREATE TABLE ${t} (${q} integer NOT NULL, k integer) PARTITION BY LIST (${q});
        CREATE TABLE ${t}_1 PARTITION OF ${t} FOR VALUES IN (1);
        CREATE INDEX "${t}_${q.slice(1).slice(0, 40).replace(/"*$/, '')}" ON ${t} (${q});
        ALTER TABLE ${t} ADD CONSTRAINT ${q} CHECK (${q} > 0) NOT VALID;
        CREATE TABLE ${t}_parent (${q} integer); CREATE TABLE ${t}_child () INHERITS (${t}_parent);
        ALTER TABLE ${t}_parent ADD "${t}" integer;
        CREATE RULE ${q} AS ON DELETE TO ${t}_parent DO INSTEAD NOTHING;
        CREATE POLICY ${q} ON ${t} USING (${q} > 1);
        CREATE STATISTICS ${t}_s ON ${q}, k FROM ${t};
        CREATE MATERIALIZED VIEW ${t}_m AS SELECT ${q} FROM ${t};`,
    )
    .join('\n'),
};

/** What PostgreSQL 18 has besides. */
export const RELATION_TEMPLATES_18: Readonly<Record<string, string>> = {
  'not-null constraints of partitions': `
    CREATE TABLE p (id integer CONSTRAINT p_id NOT NULL, k integer, x integer) PARTITION BY LIST (k);
    CREATE TABLE p1 (k integer, x integer CONSTRAINT "own x" NOT NULL, id integer CONSTRAINT own NOT NULL);
    ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
    CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
    ALTER TABLE p ADD CONSTRAINT late NOT NULL x NOT VALID;
    COMMENT ON CONSTRAINT own ON p1 IS 'own';`,

  'not-null constraints of inheriting tables': `
    CREATE TABLE top (a integer CONSTRAINT top_a NOT NULL, b integer CONSTRAINT here NOT NULL NO INHERIT, c integer);
    CREATE TABLE kid (a integer CONSTRAINT kid_a NOT NULL, d integer) INHERITS (top);
    CREATE TABLE plain () INHERITS (top);
    ALTER TABLE plain ADD CONSTRAINT plain_c NOT NULL c;
    CREATE TABLE grand (e integer PRIMARY KEY) INHERITS (plain);
    CREATE TABLE adopted (c integer, b integer, a integer CONSTRAINT adopted_a NOT NULL);
    ALTER TABLE adopted INHERIT top;
    ALTER TABLE kid ADD CONSTRAINT unsure NOT NULL d NOT VALID;`,

  'virtual columns': `
    CREATE TABLE p (id integer, twice integer GENERATED ALWAYS AS (id * 2), thrice integer GENERATED ALWAYS AS (id * 3) STORED) PARTITION BY LIST (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    CREATE TABLE top (id integer, twice integer GENERATED ALWAYS AS (id * 2) VIRTUAL);
    CREATE TABLE kid (twice integer GENERATED ALWAYS AS (id * 4) VIRTUAL) INHERITS (top);
    CREATE TABLE other_kid () INHERITS (top);`,

  'constraints that are not enforced': `
    CREATE TABLE target (id integer PRIMARY KEY);
    CREATE TABLE p (id integer, t integer, u integer, CONSTRAINT loose CHECK (id > 1) NOT ENFORCED) PARTITION BY LIST (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    ALTER TABLE p ADD CONSTRAINT unchecked FOREIGN KEY (t) REFERENCES target NOT ENFORCED;
    ALTER TABLE p ADD CONSTRAINT unsure FOREIGN KEY (u) REFERENCES target NOT VALID;
    ALTER TABLE p1 VALIDATE CONSTRAINT unsure;
    CREATE TABLE top (id integer, CONSTRAINT loose CHECK (id > 1) NOT ENFORCED);
    CREATE TABLE kid () INHERITS (top);`,

  'keys over periods': `
    CREATE TABLE rooms (id int4range, during tstzrange, k integer, PRIMARY KEY (id, during WITHOUT OVERLAPS));
    CREATE TABLE stays (id int4range, room int4range, during tstzrange, UNIQUE (id, during WITHOUT OVERLAPS),
      FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD during));`,

  'identities of partitions': `
    CREATE TABLE p (id bigint GENERATED BY DEFAULT AS IDENTITY (START 5), k integer) PARTITION BY LIST (k);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY HASH (id);
    CREATE TABLE p1_a PARTITION OF p1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);`,
};

/** What the templates find beside them. */
export const SURROUNDINGS = `
  CREATE SCHEMA IF NOT EXISTS shared;
  CREATE TABLE shared.countries (code char(2) PRIMARY KEY);
  CREATE TYPE shared.pair AS (a integer, b text);
  CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler;`;
