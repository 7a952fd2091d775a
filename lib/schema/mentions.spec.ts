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
    ['an operator beside an alias', `'SELECT template.total OPERATOR(template.+) 2 FROM a template'`],
    ['a table beside an alias', `'SELECT template.total FROM a template JOIN template.orders ON true'`],
    ['a function beside an alias', `'SELECT template.total(template.id) FROM a template'`],
    ['behind an apostrophe', `'It''''s the total of template.orders'`],
    ['behind the end of a line', `E'SELECT * FROM\\ntemplate.orders'`],
    ['in a dollar quote', '$$SELECT * FROM template.orders$$'],
    ['in a dollar quote in a string', `'EXECUTE $q$SELECT * FROM template.orders$q$'`],
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
    ['an alias', `'SELECT template.total FROM things template'`],
    ['an alias of a qualified table', `'SELECT template.total FROM a.things AS template'`],
    ['a table of that name', `'SELECT template.total FROM template'`],
    ['a table of that name in another schema', `'UPDATE shared.template SET a = template.total'`],
    ['a part of a date of an alias', `'SELECT extract(year FROM template.total) FROM things template'`],
    ['a comparison with an alias', `'SELECT a IS DISTINCT FROM template.total FROM things template'`],
    ['the end of a remark', `'Edit it (in the template.) and save'`],
    ['a word in parentheses', `'Edit it (template.), then save'`],
    ['a variable', `'DECLARE template things; BEGIN RETURN template.total; END'`],
    [
      'a variable of a loop',
      `'BEGIN FOR template IN SELECT 1 LOOP RETURN NEXT template.total; END LOOP; END'`,
    ],
    ['a parameter', `CREATE FUNCTION f(template things) RETURNS int LANGUAGE sql AS 'SELECT template.total'`],
    ['a comment in a body', `'-- as template.orders\nSELECT 1'`],
    ['code', 'SELECT template.total FROM things'],
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
