import { splitStatements } from './split-statements';

describe('splitStatements', () => {
  it.each([
    ['', []],
    [' ; ;; -- nothing', []],
    ['SELECT 1', ['SELECT 1']],
    ['SELECT 1;', ['SELECT 1']],
    ['SELECT 1; SELECT 2', ['SELECT 1', ' SELECT 2']],
    ["SELECT ';'; SELECT 2", ["SELECT ';'", ' SELECT 2']],
    ["SELECT 'it''s; so'; SELECT 2", ["SELECT 'it''s; so'", ' SELECT 2']],
    [String.raw`SELECT E'\'; '; SELECT 2`, [String.raw`SELECT E'\'; '`, ' SELECT 2']],
    [String.raw`SELECT date'\'; SELECT 2`, [String.raw`SELECT date'\'`, ' SELECT 2']],
    ['SELECT ";"; SELECT 2', ['SELECT ";"', ' SELECT 2']],
    ['SELECT $$;$$; SELECT 2', ['SELECT $$;$$', ' SELECT 2']],
    ['SELECT $a$;$$;$a$; SELECT 2', ['SELECT $a$;$$;$a$', ' SELECT 2']],
    ['SELECT $1; SELECT $2', ['SELECT $1', ' SELECT $2']],
    ['SELECT a$b$; SELECT c$b$', ['SELECT a$b$', ' SELECT c$b$']],
    ['SELECT 1 -- ;\n; SELECT 2', ['SELECT 1 -- ;\n', ' SELECT 2']],
    ['SELECT 1 /* ; /* ; */ ; */; SELECT 2', ['SELECT 1 /* ; /* ; */ ; */', ' SELECT 2']],
    ['SELECT 1 - 2 / 3; SELECT 2', ['SELECT 1 - 2 / 3', ' SELECT 2']],
  ])('%j', (text, statements) => {
    expect(splitStatements(text)).toEqual(statements);
  });

  it.each(["SELECT 'open; SELECT 2", 'SELECT $$open; SELECT 2', 'SELECT /* open; SELECT 2'])(
    'loses nothing of what PostgreSQL will refuse: %j',
    (text) => expect(splitStatements(text)?.join(';')).toBe(text),
  );

  it('does not guess where a SQL body ends', () => {
    expect(splitStatements('CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END; SELECT 2')).toBeUndefined();
  });

  it('reads a megabyte in linear time', () => {
    const text = `SELECT '${'x; '.repeat(350_000)}'; SELECT 2`;
    expect(splitStatements(text)).toHaveLength(2);
    expect(splitStatements('/*'.repeat(20_000))).toBeDefined();
    expect(splitStatements('$a'.repeat(20_000))).toBeDefined();
  });
});
