import { SOMETHING_FIRST } from './session-contents';
import { gatheringMessages } from './rider';
import { TransactionParameters } from './transaction-parameters';
import type { WireConnection } from './pg-internals';

const written: string[] = [];
const stream = {
  writable: true,
  write: (bytes: Buffer) => written.push(bytes.toString()),
};
const connection = { stream, parsedStatements: {} } as unknown as WireConnection;

beforeEach(() => {
  written.length = 0;
  stream.writable = true;
});

const open = () => {
  const gathering = gatheringMessages(connection) as WireConnection & {
    readonly stream: { cork(): void; uncork(): void };
    readonly parsedStatements: object;
  };
  gathering.stream.cork();
  return gathering;
};

it('writes at once what was written since it was corked', () => {
  const { stream: gathered } = open();
  gathered.write(Buffer.from('Parse'));
  gathered.write(Buffer.from('Sync'));
  expect(written).toEqual([]);
  gathered.uncork();
  expect(written).toEqual(['ParseSync']);
});

it('writes nothing twice', () => {
  const { stream: gathered } = open();
  gathered.write(Buffer.from('one'));
  gathered.uncork();
  gathered.cork();
  gathered.write(Buffer.from('two'));
  gathered.uncork();
  expect(written).toEqual(['one', 'two']);
});

it('writes nothing when there was nothing', () => {
  open().stream.uncork();
  expect(written).toEqual([]);
});

it('is as writable as the connection', () => {
  const { stream: gathered } = open();
  expect(gathered.writable).toBe(true);
  stream.writable = false;
  expect(gathered.writable).toBe(false);
});

it('knows the connection’s named statements', () => {
  const gathering = open();
  Object.assign(gathering.parsedStatements, { named: 'SELECT 1' });
  expect(connection).toMatchObject({ parsedStatements: { named: 'SELECT 1' } });
});

it('what goes ahead of a tenant’s statements is put together once, in memory of its own', () => {
  const parameters = new TransactionParameters({ search_path: '"t_acme", pg_temp' });
  const both = parameters.rider(true, SOMETHING_FIRST.rider);
  expect(both.bytes.toString()).toMatch(/RESET search_path.*SET LOCAL search_path/s);
  expect(both).toMatchObject({ parses: 2, answers: ['emptied', 'parameter'] });
  expect(parameters.rider(true, SOMETHING_FIRST.rider)).toBe(both);
  expect(both.bytes.buffer.byteLength).toBe(both.bytes.length);
});
