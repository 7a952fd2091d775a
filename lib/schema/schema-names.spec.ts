import { tokensOf } from '../common/sql-lexer';
import { schemaNamesIn } from './schema-names';

const found = (text: string) => schemaNamesIn([...tokensOf(text)], 'template').length;

describe('a name before a point is that of the schema', () => {
  it.each([
    ['before a table', 'SELECT * FROM template.orders', 1],
    ['before a function', 'SELECT template.total(1)', 1],
    ['before a type', 'CREATE FUNCTION f(template.line) RETURNS void', 1],
    ['in an operator', 'SELECT 1 OPERATOR(template.+) 2', 1],
    ['in an operator beside an alias', 'SELECT template.id OPERATOR(template.+) 2 FROM a template', 1],
    ['before a table beside an alias', 'SELECT template.id FROM a template, ONLY template.b', 1],
    ['before a function beside an alias', 'SELECT template.total(template.id) FROM a template', 1],
    ['beside a column of that name', 'SELECT a.template, template FROM template.orders a', 1],
  ])('%s', (_, text, times) => {
    expect(found(text)).toBe(times);
  });

  it.each([
    ['an alias', 'SELECT template.id FROM a template'],
    ['an alias with AS', 'SELECT template.id FROM (SELECT 1) AS template'],
    ['an alias of a subquery', 'SELECT template.id FROM (SELECT 1) template'],
    ['an alias that comes second', 'SELECT template.id FROM a, b template'],
    ['a table', 'SELECT template.id FROM other.template'],
    ['an alias in a call with FROM', 'SELECT trim(BOTH FROM template.id) FROM a template'],
    ['part of a text', `SELECT 'template.orders' FROM template2.orders`],
  ])('not where it is %s', (_, text) => {
    expect(found(text)).toBe(0);
  });
});
