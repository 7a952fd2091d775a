import { Logger } from '@nestjs/common';
import type { Tenant } from '../../index';
import type { Site } from '../../placement/place';
import { ManualClock, settled } from '../../../test/support/manual-clock';
import { EventCollector } from './event-collector';

const rows: Record<string, { n: string }[]> = {};
let taken: string[];
let clock: ManualClock;
let collector: EventCollector;
let begun: string[];
let find: (id: string) => Promise<Partial<Tenant>>;
/** Lets the server "far" answer. */
let answer: () => void;
let warn: jest.SpyInstance;

beforeEach(() => {
  clock = new ManualClock();
  [taken, begun] = [[], []];
  rows.far = [{ n: 'far' }];
  rows.near = [{ n: 'near' }];
  const hanging = new Promise<void>((resolve) => (answer = resolve));
  find = (server) => Promise.resolve({ place: { server, isolation: 'schema' } });
  warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  const run = async (work: (manager: unknown) => Promise<unknown>, { server }: Site) => {
    begun.push(server);
    if (server === 'far') await hanging;
    return work({
      query: (sql: string) =>
        Promise.resolve(sql.startsWith('DELETE') ? rows[server].splice(0) : [...rows[server]]),
    });
  };
  collector = new EventCollector(
    {
      take: (events: { n: string }[]) => Promise.resolve(void taken.push(...events.map(({ n }) => n))),
    } as never,
    { run } as never,
    { further: ['far', 'near'] } as never,
    { find: ({ value }: { value: string }) => find(value) } as never,
    { openEventDoor: () => Promise.resolve() } as never,
    { registrySchema: 'tenancy' } as never,
    clock,
  );
});
afterEach(() => warn.mockRestore());

/** Whether it ends without time going by. */
const endsAtOnce = async (work: Promise<unknown>) => {
  let isEnded = false;
  void work.then(() => (isEnded = true));
  await settled();
  return isEnded;
};

it('waits two seconds for a server that hangs, once, and for no other tenant', async () => {
  const all = collector.fetch();
  expect([await endsAtOnce(all), taken]).toEqual([false, ['near']]);
  expect(await endsAtOnce(collector.fetch('near'))).toBe(true);
  await clock.advance(2_000);
  await all;
  rows.near.push({ n: 'near again' });
  expect(await endsAtOnce(collector.fetch())).toBe(true);
  expect(taken).toEqual(['near', 'near again']);
  const own = collector.fetch('far');
  expect(await endsAtOnce(own)).toBe(false);
  await clock.advance(2_000);
  await own;
  // However many have read meanwhile.
  expect(begun.filter((server) => server === 'far')).toHaveLength(1);
  expect(warn.mock.calls).toEqual([
    [expect.stringMatching(/server "far" cannot be fetched.*within 2000 ms/)],
  ]);
  answer();
  await settled();
  expect(taken).toEqual(['near', 'near again', 'far']);
  rows.far.push({ n: 'far again' });
  expect(await endsAtOnce(collector.fetch())).toBe(true);
  expect(taken).toContain('far again');
});

it('visits all databases on its own, but not in the program `tenancy`', async () => {
  const mark = Symbol.for('nestjs-tenancy:cli');
  Object.assign(globalThis, { [mark]: true });
  collector.onApplicationBootstrap();
  Reflect.deleteProperty(globalThis, mark);
  await clock.advance(0);
  expect(begun).toEqual([]);
  collector.onApplicationBootstrap();
  await clock.advance(0);
  expect(new Set(begun)).toEqual(new Set(['far', 'near']));
});

it('reads on when the store of the tenants is away', async () => {
  find = () => Promise.reject(new Error('no store'));
  await collector.fetch('near');
  expect(warn.mock.calls).toEqual([[expect.stringContaining('no store')]]);
});
