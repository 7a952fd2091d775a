import { checkOptions } from '../common/options/check-options';
import { MemoryRateLimits } from './memory-rate-limits';
import { InvalidThrottlingOptionsError } from './throttling.errors';
import { CheckedThrottlingOptions, type TenancyThrottlingOptions } from './throttling.options';

const checkThrottlingOptions = (options: TenancyThrottlingOptions) =>
  checkOptions(CheckedThrottlingOptions, options, InvalidThrottlingOptionsError);

const minute = { limit: 5, windowMs: 60_000 };
const plans = { free: { minute } };
const good = { plans, defaultPlan: 'free' };

it('takes what it can work by', () => {
  expect(checkThrottlingOptions(good)).toEqual({ ...good, whenUnavailable: 'allow', timeoutMs: 500 });
  expect(() =>
    checkThrottlingOptions({
      plans: { free: { minute: { limit: 0, windowMs: 1_000 } }, unlimited: {} },
      defaultPlan: 'unlimited',
      planOf: ({ metadata }) => metadata.plan,
      limitsOf: () => undefined,
      storage: new MemoryRateLimits(),
      whenUnavailable: 'refuse',
      timeoutMs: 1,
    }),
  ).not.toThrow();
});

it.each([
  ['no options at all', undefined, 'plans is missing'],
  ['plans that are a list', { ...good, plans: [] }, 'plans is []'],
  ['a default plan that is not there', { ...good, defaultPlan: 'gold' }, "defaultPlan is 'gold'"],
  [
    'a default plan that every object has',
    { ...good, defaultPlan: 'constructor' },
    "defaultPlan is 'constructor'",
  ],
  ['a default plan that is no text', { plans: { 1: {} }, defaultPlan: 1 }, 'defaultPlan is 1'],
  ['no default plan', { plans }, 'defaultPlan is missing'],
  ['limits that are none', { ...good, plans: { free: null } }, 'plans.free is null'],
  ['a limit that is null', { ...good, plans: { free: { minute: null } } }, 'plans.free.minute is null'],
  [
    'a limit below 0',
    { ...good, plans: { free: { minute: { ...minute, limit: -1 } } } },
    'minute.limit is -1',
  ],
  [
    'half a request',
    { ...good, plans: { free: { minute: { ...minute, limit: 0.5 } } } },
    'minute.limit is 0.5',
  ],
  [
    'a window of 0',
    { ...good, plans: { free: { minute: { ...minute, windowMs: 0 } } } },
    'minute.windowMs is 0',
  ],
  [
    'seconds instead of ms',
    { ...good, plans: { free: { m: { limit: 1, windowMs: 60 } } } },
    'm.windowMs is 60',
  ],
  ['a name that breaks a header', { ...good, plans: { free: { 'a"\r\nx: y': minute } } }, "a limit's name"],
  ['a plan reader that is a text', { ...good, planOf: 'plan' }, "planOf is 'plan'"],
  ['limits of tenants as a list', { ...good, limitsOf: [] }, 'limitsOf is []'],
  ['a Redis client for a storage', { ...good, storage: { status: 'ready' } }, 'storage is something else'],
  ['a third way', { ...good, whenUnavailable: 'open' }, "whenUnavailable is 'open'"],
  ['no time to wait', { ...good, timeoutMs: 0 }, 'timeoutMs is 0'],
  ['a misspelled option', { ...good, planof: () => 'free' }, 'planof is no option'],
  [
    'a misspelled part of a limit',
    { ...good, plans: { free: { minute: { ...minute, window: 5 } } } },
    'plans.free.minute.window is no option: did you mean windowMs?',
  ],
])('refuses %s, and names it', (_mistake, options, said) => {
  expect(() => checkThrottlingOptions(options as never)).toThrow(said);
});

it('names all mistakes at once', () => {
  const options = { plans: {}, defaultPlan: 'free', timeoutMs: -1 };
  expect(() => checkThrottlingOptions(options)).toThrow(/timeoutMs.*\n- defaultPlan/);
});
