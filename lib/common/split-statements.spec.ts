import { splitStatements } from './split-statements';

const textsOf = (text: string, standardStrings?: boolean) =>
  splitStatements(text, standardStrings)?.map((statement) => statement.text);

describe('splitStatements', () => {
  it.each<[string, string[]]>([
    ['', []],
    [' ; ;; -- nothing', []],
    ['SELECT 1', ['SELECT 1']],
    ['SELECT 1;', ['SELECT 1']],
    ['SELECT 1; SELECT 2', ['SELECT 1', ' SELECT 2']],
    ['; /* none */ ; SELECT 2', [' SELECT 2']],
    ["SELECT ';'; SELECT 2", ["SELECT ';'", ' SELECT 2']],
    ["SELECT 'it''s; so'; SELECT 2", ["SELECT 'it''s; so'", ' SELECT 2']],
    [String.raw`SELECT E'\'; '; SELECT 2`, [String.raw`SELECT E'\'; '`, ' SELECT 2']],
    [String.raw`SELECT date'\'; SELECT 2`, [String.raw`SELECT date'\'`, ' SELECT 2']],
    [String.raw`SELECT U&'\'; SELECT 2`, [String.raw`SELECT U&'\'`, ' SELECT 2']],
    ["SELECT E'a' -- goes on\n '\\';'; SELECT 2", ["SELECT E'a' -- goes on\n '\\';'", ' SELECT 2']],
    ["SELECT 'a' /* does not */\n '\\'; SELECT 2", ["SELECT 'a' /* does not */\n '\\'", ' SELECT 2']],
    ['SELECT ";"; SELECT 2', ['SELECT ";"', ' SELECT 2']],
    ['SELECT U&"a"";"; SELECT 2', ['SELECT U&"a"";"', ' SELECT 2']],
    ['SELECT $$;$$; SELECT 2', ['SELECT $$;$$', ' SELECT 2']],
    ['SELECT $a$;$$;$a$; SELECT 2', ['SELECT $a$;$$;$a$', ' SELECT 2']],
    ['SELECT $ä$;$ä$; SELECT 2', ['SELECT $ä$;$ä$', ' SELECT 2']],
    ['SELECT $1; SELECT $2', ['SELECT $1', ' SELECT $2']],
    ['SELECT a$b$; SELECT c$b$', ['SELECT a$b$', ' SELECT c$b$']],
    [
      'SELECT $\ud800$;$\udc01$; COMMIT; SELECT $\ud800$;$\ud801$',
      ['SELECT $\ud800$;$\udc01$', ' COMMIT', ' SELECT $\ud800$;$\ud801$'],
    ],
    ['SELECT 1 -- ;\n; SELECT 2', ['SELECT 1 -- ;\n', ' SELECT 2']],
    ['SELECT 1 -- ;\r; SELECT 2', ['SELECT 1 -- ;\r', ' SELECT 2']],
    ['SELECT 1 /* ; /* /* ; */ */ ; */; SELECT 2', ['SELECT 1 /* ; /* /* ; */ */ ; */', ' SELECT 2']],
    ['SELECT 1 - 2 / 3; SELECT 2', ['SELECT 1 - 2 / 3', ' SELECT 2']],
    [
      'CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3',
      ['CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)', ' SELECT 3'],
    ],
    [
      'CREATE OR REPLACE FUNCTION f(begin atomic) BEGIN ATOMIC SELECT CASE WHEN a.end THEN 1 END; END; COMMIT',
      [
        'CREATE OR REPLACE FUNCTION f(begin atomic) BEGIN ATOMIC SELECT CASE WHEN a.end THEN 1 END; END',
        ' COMMIT',
      ],
    ],
    ['CREATE PROCEDURE p() BEGIN ATOMIC END; COMMIT', ['CREATE PROCEDURE p() BEGIN ATOMIC END', ' COMMIT']],
    ["SELECT 'begin atomic'; COMMIT", ["SELECT 'begin atomic'", ' COMMIT']],
    ['SELECT begin atomic FROM t; COMMIT', ['SELECT begin atomic FROM t', ' COMMIT']],
  ])('%j', (text, statements) => {
    expect(textsOf(text)).toEqual(statements);
  });

  it('reads backslashes in texts as the session does', () => {
    const text = String.raw`SELECT '\'; COMMIT; --'`;
    expect(textsOf(text)).toEqual([String.raw`SELECT '\'`, ' COMMIT']);
    expect(textsOf(text, false)).toEqual([text]);
  });

  it('takes backslashes in bits for nothing, whatever they are in texts', () => {
    for (const bits of [String.raw`b'\'`, String.raw`X'\'`])
      expect(textsOf(`SELECT ${bits}; COMMIT; --'`, false)).toEqual([`SELECT ${bits}`, ' COMMIT']);
  });

  it.each([
    "SELECT 'open; SELECT 2",
    'SELECT $$open; SELECT 2',
    'SELECT /* /* open; */ SELECT 2',
    'SELECT "open; SELECT 2',
    'SELECT (1; SELECT 2',
    'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2',
  ])('does not guess where something ends that does not: %j', (text) => {
    expect(splitStatements(text)).toBeUndefined();
  });
});
