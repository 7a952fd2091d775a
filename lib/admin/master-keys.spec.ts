import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type Clock, CLOCK } from '../common/clock';
import { checkOptions } from '../common/options/check-options';
import { InvalidAdminOptionsError } from './admin.errors';
import {
  ADMIN_OPTIONS,
  CheckedAdminOptions,
  type MasterKey,
  type TenancyAdminOptions,
} from './admin.options';
import { MasterKeys } from './master-keys';

/** Time that stands still until it is told to go on. */
class ManualClock implements Clock {
  private time = 0;
  private timers: { at: number; work: () => void }[] = [];

  now = () => this.time;

  after(ms: number, work: () => void) {
    const timer = { at: this.time + ms, work };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((each) => each !== timer));
  }

  pass(ms: number): void {
    this.time += ms;
    const due = this.timers.filter(({ at }) => at <= this.time);
    this.timers = this.timers.filter(({ at }) => at > this.time);
    for (const { work } of due) work();
  }

  get waiting(): number {
    return this.timers.length;
  }
}

const key = (letter: string) => letter.repeat(32);
const OPS: MasterKey = { name: 'ops', key: key('o') };
const CI: MasterKey = { name: 'ci', key: key('c') };
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

async function keysOf(options: unknown, clock: Clock = new ManualClock()): Promise<MasterKeys> {
  const testing = await Test.createTestingModule({
    providers: [
      MasterKeys,
      {
        provide: ADMIN_OPTIONS,
        useFactory: () => checkOptions(CheckedAdminOptions, options, InvalidAdminOptionsError),
      },
      { provide: CLOCK, useValue: clock },
    ],
  }).compile();
  Logger.overrideLogger(false);
  await testing.init();
  return testing.get(MasterKeys);
}

/** What starting with these options throws; nothing when it starts. */
const start = (options: unknown): Promise<unknown> =>
  keysOf(options).then(
    () => undefined,
    (error: unknown) => error,
  );

afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

const nameOf = async (keys: MasterKeys, sent: string) => (await keys.find(sent))?.name;

describe('the master key of the admin API', () => {
  it.each([32, 64, 10_000])('of %d characters starts', async (length) => {
    await expect(start({ masterKey: 'k'.repeat(length) })).resolves.toBeUndefined();
  });

  it('may have spaces within', async () => {
    await expect(start({ masterKey: 'correct horse battery staple, and a donkey' })).resolves.toBeUndefined();
  });

  it('is called master', async () => {
    const keys = await keysOf({ masterKey: key('m') });
    await expect(nameOf(keys, key('m'))).resolves.toBe('master');
    await expect(nameOf(keys, key('x'))).resolves.toBeUndefined();
    await expect(nameOf(keys, '')).resolves.toBeUndefined();
  });

  it.each([
    ['no options', undefined, 'got none'],
    ['no key', {}, 'got none'],
    ['undefined', { masterKey: undefined }, 'got none'],
    ['null', { masterKey: null }, 'got none'],
    ['a number', { masterKey: 42 }, 'got none'],
    ['an empty key', { masterKey: '' }, 'got one of 0'],
    ['31 characters', { masterKey: 'k'.repeat(31) }, 'got one of 31'],
    ['a line feed at its end', { masterKey: `${'k'.repeat(32)}\n` }, 'a line feed at its end'],
    ['a space at its beginning', { masterKey: ` ${'k'.repeat(32)}` }, 'white space around it'],
    ['letters that no header carries', { masterKey: 'ключ'.repeat(8) }, 'not ASCII'],
    ['NUL', { masterKey: `k\0${'k'.repeat(32)}` }, 'not ASCII'],
    ['several beside it', { masterKey: key('k'), masterKeys: [OPS] }, 'both'],
  ])('stops the start with the remedy when it is or has %s', async (_case, options, why) => {
    const error = await start(options);
    expect(error).toMatchObject({ code: 'MASTER_KEY_MISSING' });
    expect(String(error)).toContain(why);
    expect(String(error)).toContain('openssl rand -hex 32');
  });

  it('is not shown by the error that refuses it', async () => {
    const masterKey = `${'secret'.repeat(10)}\n`;
    expect(String(await start({ masterKey }))).not.toContain('secret');
    expect(String(await start({ masterKeys: [{ name: 'ops', key: masterKey }] }))).not.toContain('secret');
  });
});

describe('several master keys', () => {
  it('let in whoever has one of them, under its name', async () => {
    const keys = await keysOf({ masterKeys: [OPS, CI] });
    await expect(nameOf(keys, OPS.key)).resolves.toBe('ops');
    await expect(nameOf(keys, CI.key)).resolves.toBe('ci');
    await expect(nameOf(keys, OPS.name)).resolves.toBeUndefined();
    await expect(nameOf(keys, `${OPS.key},${CI.key}`)).resolves.toBeUndefined();
  });

  it.each([
    ['no list', 'ops', 'not a list'],
    ['null', null, 'not a list'],
    ['an object', { ops: key('o') }, 'not a list'],
    ['an empty list', [], 'empty'],
    ['nothing in the list', [undefined], 'masterKeys[0] without a name'],
    ['a text in the list', [key('o')], 'masterKeys[0] without a name'],
    ['a key without a name', [OPS, { key: key('x') }], 'masterKeys[1] without a name'],
    ['an empty name', [{ name: '', key: key('x') }], 'without a name'],
    ['a blank name', [{ name: ' ', key: key('x') }], 'without a name'],
    ['a name of 101 characters', [{ name: 'n'.repeat(101), key: key('x') }], 'without a name'],
    ['a name with a line feed', [{ name: 'a\nb', key: key('x') }], 'without a name'],
    ['a name with half a surrogate pair', [{ name: 'a\ud800', key: key('x') }], 'without a name'],
    ['a name without a key', [{ name: 'ops' }], 'for "ops"'],
    ['a short key', [OPS, { name: 'ci', key: 'short' }], 'for "ci" (masterKeys[1]) one of 5'],
    ['one name twice', [OPS, { name: 'ops', key: key('x') }], 'two keys named "ops"'],
    ['one key twice', [OPS, { name: 'ci', key: OPS.key }], 'a key that another name has'],
  ])('stop the start when there is %s', async (_case, masterKeys, why) => {
    const error = await start({ masterKeys });
    expect(error).toMatchObject({ code: 'MASTER_KEY_MISSING' });
    expect(String(error)).toContain(why);
    // A function is held to the same.
    expect(String(await start({ masterKeys: () => masterKeys }))).toContain(why);
  });

  it.each([-1, 1.5, NaN, Infinity, '10'])('stop the start when they hold for %p', async (masterKeysTtlMs) => {
    expect(String(await start({ masterKeys: [OPS], masterKeysTtlMs }))).toContain('masterKeysTtlMs');
  });
});

describe('master keys from a function', () => {
  /** A function whose answer can be changed, and the keys that come from it. */
  async function rotating(options: Pick<TenancyAdminOptions, 'masterKeysTtlMs'> = {}) {
    const clock = new ManualClock();
    const source = { asked: 0, give: (): readonly MasterKey[] | Promise<readonly MasterKey[]> => [OPS] };
    const masterKeys = () => {
      source.asked += 1;
      return source.give();
    };
    return { clock, source, keys: await keysOf({ masterKeys, ...options }, clock) };
  }

  it('are asked for at start, and again after 10 seconds', async () => {
    const { clock, source, keys } = await rotating();
    expect(source.asked).toBe(1);
    source.give = () => Promise.resolve([CI]);
    clock.pass(9_999);
    await expect(nameOf(keys, OPS.key)).resolves.toBe('ops');
    clock.pass(1);
    await expect(nameOf(keys, OPS.key)).resolves.toBeUndefined();
    await expect(nameOf(keys, CI.key)).resolves.toBe('ci');
    expect(source.asked).toBe(2);
  });

  it('are asked for with each request when they hold for 0 ms', async () => {
    const { source, keys } = await rotating({ masterKeysTtlMs: 0 });
    source.give = () => [CI];
    await expect(nameOf(keys, OPS.key)).resolves.toBeUndefined();
    await nameOf(keys, CI.key);
    expect(source.asked).toBe(3);
  });

  it('are asked for once by however many requests', async () => {
    const { clock, source, keys } = await rotating();
    clock.pass(MINUTE);
    source.give = () => Promise.resolve([CI]);
    const names = await Promise.all(Array.from({ length: 20 }, () => nameOf(keys, CI.key)));
    expect(new Set(names)).toEqual(new Set(['ci']));
    expect(source.asked).toBe(2);
  });

  it.each<[string, () => MasterKey[] | Promise<MasterKey[]>]>([
    ['throws', () => Buffer.alloc(-1) as never],
    ['rejects', () => Promise.reject(new Error('vault is sealed'))],
    ['gives none', () => []],
    ['gives a short one', () => [{ name: 'ops', key: 'short' }]],
    ['gives nothing', () => undefined as never],
  ])('hold for 5 minutes when it %s, then every call is 503 until it works', async (_case, fail) => {
    const { clock, source, keys } = await rotating();
    source.give = fail;
    clock.pass(10 * SECOND);
    await expect(nameOf(keys, OPS.key)).resolves.toBe('ops');
    clock.pass(5 * MINUTE - 10 * SECOND);
    await expect(nameOf(keys, OPS.key)).resolves.toBe('ops');
    clock.pass(1);
    await expect(nameOf(keys, OPS.key)).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    await expect(nameOf(keys, key('x'))).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    source.give = () => [CI];
    clock.pass(10 * SECOND);
    await expect(nameOf(keys, CI.key)).resolves.toBe('ci');
    await expect(nameOf(keys, OPS.key)).resolves.toBeUndefined();
  });

  it('are not asked for again at once after a failure', async () => {
    const { clock, source, keys } = await rotating();
    source.give = () => Promise.reject(new Error('vault is sealed'));
    clock.pass(10 * SECOND);
    for (let request = 0; request < 5; request += 1) await nameOf(keys, OPS.key);
    expect(source.asked).toBe(2);
  });

  it('are waited for 5 seconds, then the last ones hold', async () => {
    const { clock, source, keys } = await rotating();
    clock.pass(10 * SECOND);
    source.give = () => new Promise(() => undefined);
    const name = nameOf(keys, OPS.key);
    while (clock.waiting === 0) await Promise.resolve();
    clock.pass(5 * SECOND);
    await expect(name).resolves.toBe('ops');
  });

  it('leave no timer behind', async () => {
    const { clock, keys } = await rotating();
    clock.pass(10 * SECOND);
    await nameOf(keys, OPS.key);
    expect(clock.waiting).toBe(0);
  });

  it('fail the start when it fails', async () => {
    const error = new Error('vault is sealed');
    await expect(start({ masterKeys: () => Promise.reject(error) })).resolves.toBe(error);
  });
});
