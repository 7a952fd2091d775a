import fc from 'fast-check';
import { splitStatements } from '../common/split-statements';
import { carriedText, transactionCommands } from './protocol/transaction-text';
import { leavesSessionState } from './protocol/session-state';
import { TransactionParameters } from './protocol/transaction-parameters';
import { sharedCommand } from './typeorm/shared-text';

const PIECES = [
  ...[
    "'",
    "''",
    '"',
    '\\',
    '$',
    '$$',
    '$a',
    '$a$',
    '$1',
    "E'",
    "U&'",
    "b'1'",
    '--',
    '/*',
    '*/',
    '/* x */',
    '/',
    '-',
    '\n',
  ],
  ...[
    ' ',
    ';',
    '(',
    ')',
    ',',
    '.',
    '1',
    'x',
    ' set ',
    ' set local ',
    'set_config(',
    'set_config($1, ',
    ', true)',
    ' temp ',
  ],
  ...[
    ' create ',
    ' function ',
    ' begin atomic ',
    ' case ',
    ' end',
    ' commit ',
    ' and chain ',
    ' isolation ',
    ' with hold',
  ],
];
const LENGTH = 1_000_000;

/** A regular expression that goes back would take minutes for the shortest of these, or for ever. */
const MAX_MS = 3_000;

const session = { inTransaction: () => false, owesCheck: () => false, standardStrings: true };
const settings = new TransactionParameters({ search_path: 't_acme' });

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  splitStatements: (text) => splitStatements(text),
  leavesSessionState: (text) => leavesSessionState(text),
  transactionCommands: (text) => transactionCommands(text, true),
  carriedText: (text) => carriedText(text, settings, session),
  sharedCommand: (text) => {
    try {
      return sharedCommand(text, true, 'SERIALIZABLE');
    } catch (refusal) {
      return refusal;
    }
  },
};

describe.each(Object.entries(READERS))('%s', (_name, read) => {
  it('reads a megabyte of whatever is repeated in a moment', () => {
    const unit = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom('', 'set ', 'commit;', "select '"), unit, (start, pieces) => {
        const text = start + pieces.join('').repeat(LENGTH / pieces.join('').length);
        const since = performance.now();
        read(text);
        expect(performance.now() - since).toBeLessThan(MAX_MS);
      }),
      { numRuns: 25 },
    );
  });

  it.each<[string, string]>([
    ['27 comments in a row', `${'/* x */ '.repeat(27)}select 1; set`],
    ['a licence above a migration', `${'-- x\n'.repeat(1_000)}/${'*'.repeat(10_000)} x\n set commit`],
    ['a quoted value', `set x = '${"a''".repeat(50)}\\ commit`],
    ['set_config over 34 parameters', `select set_config(${'$1, '.repeat(34)}commit`],
    ['a sea of spaces', `commit${' '.repeat(100_000)}x`],
  ])('%s', (_what, text) => {
    const since = performance.now();
    read(text);
    expect(performance.now() - since).toBeLessThan(MAX_MS);
  });
});
