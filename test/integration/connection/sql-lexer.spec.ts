import fc from 'fast-check';
import { Client } from 'pg';
import { splitStatements, type SqlStatement } from '../../../lib/common/split-statements';
import { transactionCommand } from '../../../lib/connection/protocol/transaction-text';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** What is hard to read, and what makes it hard. */
const PIECES = [
  ...[
    "'",
    "''",
    '"',
    '""',
    '\\',
    "\\'",
    '$',
    '$$',
    '$a$',
    '$é$',
    '$\ud800$',
    '$\udfff$',
    '$1',
    'E',
    "E'",
    "e'x'",
    "U&'",
    'U&"',
    "b'1'",
    "N'",
  ],
  ...[
    '--',
    '/*',
    '*/',
    '/',
    '*',
    '-',
    '\n',
    '\r',
    ' ',
    '\t',
    '\f',
    ';',
    ';',
    ';',
    '(',
    ')',
    ',',
    '.',
    '::',
    '+',
  ],
  ...[
    '1',
    '0x',
    'x',
    'é',
    '_',
    'a$b$',
    ' SELECT ',
    ' SELECT 1',
    ' COMMIT',
    ' BEGIN',
    ' ROLLBACK',
    ' end',
    ' case ',
  ],
  ...[' begin atomic ', ' when true then 1 ', ' COMMIT AND CHAIN'],
];
const hostile = fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => pieces.join(''));

/** Mostly right, with something hostile inside. */
const value = fc.oneof(
  hostile.map((text) => `'${text.replaceAll("'", "''")}'`),
  hostile.map((text) => `'${text}'`),
  hostile.map((text) => `E'${text.replaceAll(/['\\]/g, '\\$&')}'`),
  hostile.map((text) => `E'${text}'`),
  hostile.map((text) => `$a$${text.replaceAll('$a$', '')}$a$`),
  hostile.map((text) => `$$${text}$$`),
  hostile.map((text) => `$\ud800$${text}$\udfff$`),
  hostile.map((text) => `1 AS "${text.replaceAll('"', '""')} "`),
  hostile.map((text) => `'a' --${text}\n 'b\\'`),
  hostile.map((text) => `e'a'\r'${text.replaceAll(/['\\]/g, '\\$&')}'`),
  hostile.map((text) => `$é$${text.replaceAll('$é$', '')}$é$`),
  hostile.map((text) => `e'a'${text}\n 'b\\''`),
  hostile.map((text) => `1 /*${text.replaceAll(/[*/]/g, '')}*/`),
  hostile.map((text) => `1 /*${text}*/`),
  hostile.map((text) => `1 --${text}\r`),
  fc.constantFrom(
    "U&'\\0041'",
    "b'1'",
    "b'\\'",
    'begin atomic FROM (SELECT 1) t (begin)',
    'x',
    '1 begin',
    '1 "begin atomic"',
    'case when true then 1 end',
    '1 AS end',
  ),
);
const statement = fc.oneof(
  { weight: 6, arbitrary: value.map((each) => `SELECT ${each}`) },
  value.map((each) => `DO $do$ BEGIN PERFORM ${each}; END $do$`),
  value.map(
    (each) =>
      `CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS SETOF text BEGIN ATOMIC SELECT ${each}; SELECT 'x'; END`,
  ),
  fc.constantFrom(
    'BEGIN',
    'START TRANSACTION',
    'COMMIT',
    'END WORK',
    'ROLLBACK',
    'COMMIT AND CHAIN',
    'SAVEPOINT a',
  ),
  fc.constantFrom(
    'ROLLBACK TO a',
    'PREPARE transaction AS SELECT 1',
    'DEALLOCATE ALL',
    '',
    ' /* ; */ ',
    '--;\n',
  ),
  hostile,
);
const sqlText = fc.array(statement, { minLength: 1, maxLength: 4 }).map((statements) => statements.join(';'));

/** The tags with which PostgreSQL answers the commands that end or begin a transaction. */
const TAGS: Readonly<Record<string, string | undefined>> = {
  begin: 'BEGIN',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  chain: 'COMMIT',
};

describe.each(['on', 'off'])(
  'With standard_conforming_strings = %s, texts are read as PostgreSQL reads them',
  (standard) => {
    let database: TestDatabase;
    let client: Client;

    beforeAll(async () => {
      database = await createTestDatabase();
      client = new Client({ connectionString: database.url });
      await client.connect();
      await client.query(`SET standard_conforming_strings = ${standard}; SET escape_string_warning = off`);
    });
    afterAll(async () => {
      await client.end();
      await database.drop();
    });

    /** The tags of the statements that have run, and the error that ended them. */
    async function send(text: string) {
      const tags: string[] = [];
      const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
      const listen = (message: { text: string }) => tags.push(message.text);
      connection.on('commandComplete', listen);
      const error = await client.query(text).then(
        () => undefined,
        (reason: { code: string }) => reason,
      );
      connection.off('commandComplete', listen);
      await client.query('ROLLBACK');
      return { tags, error };
    }

    const expectedTag = ({ head }: SqlStatement) => TAGS[transactionCommand(head) ?? ''];

    it('whatever they are made of', async () => {
      let read = 0;
      let ran = 0;
      await fc.assert(
        fc.asyncProperty(sqlText, async (text) => {
          const { tags, error } = await send(text);
          read++;
          // Nothing of a text is run that cannot be read to its end.
          if (error && tags.length === 0) return;
          ran++;
          const statements = splitStatements(text, standard === 'on');
          if (error) expect(statements?.length).toBeGreaterThan(tags.length);
          else expect(statements).toHaveLength(tags.length);
          tags.forEach((tag, index) => {
            const expected = expectedTag(statements![index]);
            // A COMMIT of what has failed is answered with ROLLBACK.
            const isCommand = /^(?:BEGIN|START TRANSACTION|COMMIT|ROLLBACK)$/.test(tag);
            const isPart = statements![index].head.some(({ value }) => value === 'to');
            expect({ text, index, isCommand: expected !== undefined }).toEqual({
              text,
              index,
              isCommand: isCommand && !isPart,
            });
          });
        }),
        { numRuns: 1_500 },
      );
      // Otherwise this would have looked at errors only.
      expect(ran / read).toBeGreaterThan(0.2);
    });
  },
);
