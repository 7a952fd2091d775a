import { cpuTimeOf } from '../../test/support/cpu-time';
import { SchemaMentions } from './mentions';

const mentions = (schema: string, statement: string) =>
  new SchemaMentions(schema, new Set(['orders', 'Order lines', 'total', "it's", 'we"ird'])).in(statement);

describe('a mention of the schema is', () => {
  it.each([
    ['qualified', `'SELECT * FROM template.orders'`],
    ['in capitals', `'SELECT * FROM TEMPLATE.Orders'`],
    ['quoted', `'SELECT * FROM "template"."orders"'`],
    ['spaced', `'SELECT * FROM template\n . orders'`],
    ['behind the database', `'SELECT * FROM db.template.orders'`],
    ['a function', `'SELECT template.total(1)'`],
    ['an operator in a string', `'SELECT 1 OPERATOR( template.=== ) 2'`],
    ['an operator in code', `SELECT 1 OPERATOR(template.+) 2`],
    ['an operator beside an alias', `SELECT template.id OPERATOR(template.+) 2 FROM a template`],
    ['an object with a blank', `'SELECT * FROM template."Order lines"'`],
    ['an object with an apostrophe', `'SELECT * FROM template."it''s"'`],
    ['an object with a quote', `'SELECT * FROM template."we""ird"'`],
    ['in a string in a string', `'EXECUTE ''SELECT * FROM template.orders'''`],
    ['continued', `'EXECUTE ''TABLE template.'' || name'`],
    ['continued after a cast', `SELECT ('template.'::text || name)`],
    ['formatted', `'EXECUTE format(''TABLE template.%I'', name)'`],
    ['concatenated', `'SELECT concat(''template.'', name)'`],
    ['on the search path', `'SET search_path = public, template'`],
    ['on the search path by function', `'SELECT set_config(''search_path'', ''template'', true)'`],
    ['named by kind', `'CREATE TABLE IN SCHEMA template'`],
    ['dropped, if it is there', `'DROP SCHEMA IF EXISTS template'`],
    ['code that PostgreSQL had to qualify', 'CREATE FUNCTION f(template.orders) RETURNS void'],
  ])('%s', (_, statement) => {
    expect(mentions('template', statement)).toBeDefined();
  });

  it.each([
    ['My "Templ', `'SELECT * FROM "My ""Templ".orders'`],
    ["o'clock", `'SELECT * FROM "o''clock".orders'`],
    ['back\\slash', `E'SELECT * FROM "back\\\\slash".orders'`],
    ['a.b*', `'SELECT * FROM "a.b*".orders'`],
    ['Template', `'SELECT * FROM "Template".orders'`],
    ['größe', `'SELECT * FROM GRößE.orders'`],
    ['t$1', `'SELECT * FROM t$1.orders'`],
  ])('found whatever the name: %s', (schema, statement) => {
    expect(mentions(schema, statement)).toBeDefined();
  });

  it.each([
    ['the word alone', `'template'`],
    ['prose', `'Choose a template. Orders come later'`],
    ['the end of a sentence', `'RAISE EXCEPTION ''no such template.'';'`],
    ['a column of a table of that name', `'SELECT template.id FROM template'`],
    ['a longer name', `'SELECT * FROM my_template.orders, template2.orders, ätemplate.orders'`],
    ['another case in quotes', `'SELECT * FROM "Template".orders'`],
    ['an alias in code', 'SELECT template.total FROM things template'],
    ['words that say what it is', `'rows of the schema template'`],
    ['a part of a longer path', `'SET search_path = templates'`],
  ])('not %s', (_, statement) => {
    expect(mentions('template', statement)).toBeUndefined();
  });

  it.each([
    ['one string', `'${'template . '.repeat(20_000)}${'"'.repeat(20_000)}${'search_path '.repeat(5_000)}'`],
    ['quotes', `'${'"'.repeat(200_000)}template${'"'.repeat(200_000)}'`],
    ['many strings', `${"template.orders 'x' ".repeat(100_000)} template`],
    ['blanks', `'template.''::text${' '.repeat(200_000)}x'`],
  ])('found in a long hostile text without delay: %s', (_, text) => {
    expect(cpuTimeOf(() => mentions('template', text))).toBeLessThan(2_000);
  });
});
