import { pathChange, qualifiedNames, writtenNames } from './statement-names';

const isForeign = (schema: string) => schema === 'public' || schema === 'Old';

const namesIn = (text: string) =>
  qualifiedNames(text, isForeign).map(({ text: found, bare }) => [found, bare]);

it.each([
  ['CREATE TYPE "public"."x_enum" AS ENUM (\'a\')', [['"public"."x_enum"', '"x_enum"']]],
  [
    'ALTER TABLE Public . orders ADD a public.money',
    [
      ['Public . orders', 'orders'],
      ['public.money', 'money'],
    ],
  ],
  ['SELECT "Old"."T"."c"', [['"Old"."T"', '"T"']]],
  ['DO $$ BEGIN CREATE TYPE public.t AS ENUM (); END $$', [['public.t', 't']]],
])('names with a schema are found: %s', (text, found) => {
  expect(namesIn(text)).toEqual(found);
});

it.each([
  `COMMENT ON COLUMN orders.a IS 'public.x'`,
  'SELECT o.public.x FROM orders o',
  'SELECT 1 -- public.x',
  'SELECT "OLD".x, old.x',
])('what only looks like one is not: %s', (text) => {
  expect(namesIn(text)).toEqual([]);
});

it.each([
  ['ALTER TABLE "ref"."c" ADD a int', 'ref.c'],
  ['ALTER TABLE IF EXISTS ONLY ref.c ADD a int', 'ref.c'],
  ['CREATE TABLE IF NOT EXISTS ref.c (id int)', 'ref.c'],
  ['CREATE OR REPLACE FUNCTION ref.f() RETURNS int', 'ref.f'],
  ['CREATE UNIQUE INDEX CONCURRENTLY i ON ref.c (id)', 'ref.c'],
  ['CREATE TRIGGER t BEFORE UPDATE OF a ON ref.c EXECUTE FUNCTION f()', 'ref.c'],
  ['CREATE MATERIALIZED VIEW ref.v AS SELECT 1', 'ref.v'],
  ['DROP INDEX CONCURRENTLY IF EXISTS ref.i', 'ref.i'],
  ['COMMENT ON TABLE ref.c IS NULL', 'ref.c'],
  ['GRANT SELECT ON ref.c TO PUBLIC', 'ref.c'],
  [`WITH x AS (INSERT INTO ref.c VALUES (1) RETURNING id) SELECT * FROM x`, 'ref.c'],
  ['UPDATE ONLY ref.c SET a = 1', 'ref.c'],
  ['DELETE FROM ref.c', 'ref.c'],
  ['MERGE INTO ref.c USING x ON true WHEN MATCHED THEN DELETE', 'ref.c'],
  ['SELECT 1; TRUNCATE ref.c', 'ref.c'],
  ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; ALTER TABLE ref.c ADD a int', 'ref.c'],
  ['CREATE RULE r AS ON UPDATE TO ref.c DO ALSO (DELETE FROM a; DELETE FROM b)', 'ref.c'],
])('what is written is told: %s', (text, target) => {
  expect(writtenNames(text).map(({ schema, name }) => `${schema}.${name}`)).toEqual([target]);
});

it.each([
  'ALTER TABLE orders ADD FOREIGN KEY (c) REFERENCES "ref"."c" (id)',
  'CREATE TABLE orders (c int REFERENCES ref.c)',
  'CREATE VIEW v AS SELECT * FROM ref.c',
  'CREATE INDEX i ON orders (ref.f(a))',
  'CREATE TRIGGER t BEFORE UPDATE ON orders EXECUTE FUNCTION ref.f()',
  'INSERT INTO orders SELECT * FROM ref.c FOR UPDATE OF c',
  'SELECT ref.f()',
  'CREATE EXTENSION citext SCHEMA ref',
  'CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM ref.c; UPDATE ref.c SET a = 1; END',
])('what is read or referred to is not: %s', (text) => {
  expect(writtenNames(text)).toEqual([]);
});

it.each([
  ['SET search_path = public', 'SET search_path = public'],
  ["SELECT 1; -- x\nSET SESSION SCHEMA 'a';", "SET SESSION SCHEMA 'a'"],
  ['SET LOCAL search_path TO x', 'SET LOCAL search_path TO x'],
  ['/* dump */ SET "search_path" TO x', 'SET "search_path" TO x'],
  [
    `SELECT pg_catalog.set_config('search_path', '', false)`,
    `SELECT pg_catalog.set_config('search_path', '', false)`,
  ],
  ['RESET ALL', 'RESET ALL'],
  ['DISCARD ALL', 'DISCARD ALL'],
])('a change of the path is seen: %s', (text, change) => {
  expect(pathChange(text)).toBe(change);
});

it.each([
  `CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = x AS 'SELECT 1'`,
  'ALTER FUNCTION f() SET search_path = x',
  'UPDATE t SET search_path = 1',
  `COMMENT ON TABLE t IS 'a; SET search_path = x'`,
  'SET lock_timeout = 0',
])('and nothing else: %s', (text) => {
  expect(pathChange(text)).toBeUndefined();
});
