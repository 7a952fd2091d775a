import { settled } from '../../test/support/manual-clock';
import { SharedRuns } from './shared-runs';

let begun: { readonly end: (result: string) => void; readonly fail: (error: Error) => void }[];
let runs: SharedRuns<string>;

beforeEach(() => {
  begun = [];
  runs = new SharedRuns(() => new Promise((end, fail) => begun.push({ end, fail })));
});

it('gives those who come while a run is under way the next one, which they share', async () => {
  const first = runs.next();
  await settled();
  const [second, third] = [runs.next(), runs.next()];
  await settled();
  expect(begun).toHaveLength(1);
  begun[0].end('first');
  expect(await first).toBe('first');
  await settled();
  expect(begun).toHaveLength(2);
  begun[1].end('second');
  expect(await Promise.all([second, third])).toEqual(['second', 'second']);
});

it('goes on after a run that failed, which only its own callers are told', async () => {
  const first = runs.next();
  await settled();
  const second = runs.next();
  begun[0].fail(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await settled();
  begun[1].end('second');
  expect(await second).toBe('second');
});

it('has ended when the last run has that was asked for', async () => {
  await runs.ended();
  void runs.next();
  await settled();
  void runs.next();
  let hasEnded = false;
  void runs.ended().then(() => (hasEnded = true));
  begun[0].end('first');
  await settled();
  expect(hasEnded).toBe(false);
  begun[1].end('second');
  await settled();
  expect(hasEnded).toBe(true);
});
