import { leavesSessionState } from './session-state';

describe('leavesSessionState', () => {
  it.each([
    "SET search_path = 'x'",
    '-- a comment\nSET ROLE x',
    '/* /* */ */ set session x to 1',
    'SELECT 1; RESET ALL',
    'DISCARD ALL',
    'LISTEN x',
    'PREPARE p AS SELECT 1',
    "LOAD 'x'",
    "SELECT set_config('a', $1, false)",
    "SELECT set_config('a', 'b, true)', false)",
    "SELECT set_config('a', f(1, true), $1)",
    "SELECT set_config('a', 'b', true OR false)",
    "SELECT set_config('a', 'b', /* true */ false)",
    `SELECT pg_catalog."set_config"('a', 'b', false)`,
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
    'CREATE TEMP TABLE x ()',
    'CREATE OR REPLACE LOCAL TEMPORARY VIEW x AS SELECT 1',
    'SELECT 1 AS a INTO TEMP x',
    'CREATE TABLE pg_temp.x ()',
    'CREATE TABLE "pg_temp" . x ()',
    'SELECT pg_advisory_lock(1)',
    'SELECT pg_catalog.pg_try_advisory_lock_shared (1)',
    "DO 'BEGIN SET x.y = 1; END'",
    "DO $$ BEGIN PERFORM set_config('a', 'b', false); END $$",
    "DO $$ BEGIN EXECUTE 'SET x = 1'; END $$",
    'DO $$ BEGIN /* a note */ SET x.y = 1; END $$',
    'DO $$ BEGIN\n  -- a note\n  SET x.y = 1; END $$',
    "DO $$ BEGIN PERFORM set_config/* a note */('a', 'b', false); END $$",
    `SELECT U&"set\\005fconfig"('a', 'b', false)`,
    `SELECT u&"pg!005fadvisory_lock" UESCAPE '!' (1)`,
    "DO $$ BEGIN EXECUTE 'create temp table x ()'; END $$",
  ])('may be left by %j', (text) => {
    expect(leavesSessionState(text)).toBe(true);
  });

  it.each([
    'SELECT 1',
    'UPDATE a SET b = 1',
    'UPDATE a SET b = 1; COMMIT',
    'SET LOCAL x = 1',
    'SET TRANSACTION READ ONLY',
    'SET CONSTRAINTS ALL DEFERRED',
    "PREPARE TRANSACTION 'x'",
    "SELECT set_config('a', $1, true)",
    "SELECT set_config('a', f(1, 'x)'), true), set_config($1, $2, TRUE)",
    "SELECT set_config('a', E'\\'', /* ( */ true)",
    'SELECT pg_advisory_xact_lock(1)',
    'SELECT "set", temp FROM hold -- SET x',
    "INSERT INTO a VALUES ('Set it, and reset it')",
  ])('is not left by %j', (text) => {
    expect(leavesSessionState(text)).toBe(false);
  });

  it('reads backslashes as the session does', () => {
    const text = String.raw`SELECT '\'; SET x = 1; --'`;
    expect(leavesSessionState(text)).toBe(true);
  });
});
