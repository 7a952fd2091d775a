import { unqualified } from './unqualified-sql';

const bare = (query: string, parameters?: unknown[]) =>
  unqualified({ query, parameters }, 'template', 'shop');

it.each([
  [
    `CREATE TYPE "template"."orders_status_enum" AS ENUM('a')`,
    `CREATE TYPE "orders_status_enum" AS ENUM('a')`,
  ],
  [`DROP INDEX "template"."IDX_1"`, `DROP INDEX "IDX_1"`],
  [
    `ALTER TABLE "orders" ADD "s" "template"."e" DEFAULT 'a'::"template"."e"`,
    `ALTER TABLE "orders" ADD "s" "e" DEFAULT 'a'::"e"`,
  ],
])('names of the schema go: %s', (query, expected) => {
  expect(bare(query).query).toBe(expected);
});

it.each([
  `COMMENT ON COLUMN "orders"."name" IS 'it''s "template"."x"'`,
  `SELECT E'\\'"template"."x"'`,
  `CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $body$ SELECT '"template"."x"' $body$`,
  `SELECT 1 -- "template"."x"`,
  `SELECT "a""template"."x"`,
  `SELECT "template" FROM "my template"."x"`,
])('what only looks like it stays: %s', (query) => {
  expect(bare(query).query).toBe(query);
});

it('the place of a generated column is wherever the migration runs', () => {
  expect(
    bare(
      'INSERT INTO "typeorm_metadata"("database", "schema", "table", "type", "name", "value") VALUES ($1, $2, $3, $4, $5, $6)',
      ['shop', 'template', 'orders', 'GENERATED_COLUMN', 'template', 'shop'],
    ),
  ).toEqual({
    query:
      'INSERT INTO "typeorm_metadata"("database", "schema", "table", "type", "name", "value") VALUES (current_database(), current_schema(), $1, $2, $3, $4)',
    parameters: ['orders', 'GENERATED_COLUMN', 'template', 'shop'],
  });
});

it('so is the place of a view, and of what is deleted', () => {
  expect(
    bare(
      'INSERT INTO "typeorm_metadata"("database", "schema", "table", "type") VALUES (DEFAULT, $1, DEFAULT, $2)',
      ['template', 'VIEW'],
    ),
  ).toEqual({
    query:
      'INSERT INTO "typeorm_metadata"("database", "schema", "table", "type") VALUES (DEFAULT, current_schema(), DEFAULT, $1)',
    parameters: ['VIEW'],
  });
  expect(
    bare('DELETE FROM "typeorm_metadata" WHERE "name" = $1 AND "database" = $2 AND "schema" = $3', [
      'template',
      'shop',
      'template',
    ]),
  ).toEqual({
    query:
      'DELETE FROM "typeorm_metadata" WHERE "name" = $1 AND "database" = current_database() AND "schema" = current_schema()',
    parameters: ['template'],
  });
});
