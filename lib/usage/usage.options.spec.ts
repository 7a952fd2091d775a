import { checkOptions } from '../common/options/check-options';
import { InvalidUsageOptionsError } from './usage.errors';
import { CheckedUsageOptions, type TenancyUsageOptions } from './usage.options';

const checkUsageOptions = (options: TenancyUsageOptions) =>
  checkOptions(CheckedUsageOptions, options, InvalidUsageOptionsError);

const exports = { limit: 5, per: 'month', hard: true } as const;
const good = { plans: { free: { exports } }, defaultPlan: 'free' };

it('takes what it can work by, and nothing at all', () => {
  expect(checkUsageOptions(good)).toMatchObject({ ...good, quotaStatus: 402, warnAt: 0.8 });
  expect(checkUsageOptions({})).toMatchObject({ plans: { none: {} }, defaultPlan: 'none' });
});

it.each([
  ['plans without a default', { plans: good.plans }, 'defaultPlan is missing'],
  [
    'a default plan that is not there',
    { ...good, defaultPlan: 'constructor' },
    "defaultPlan is 'constructor'",
  ],
  ['a default plan without plans', { defaultPlan: 'free' }, 'there are no plans'],
  ['plans that are a list', { ...good, plans: [] }, 'plans is []'],
  ['quotas that are none', { ...good, plans: { free: null } }, 'plans.free is null'],
  ['a quota that is a number', { ...good, plans: { free: { exports: 5 } } }, 'plans.free.exports is 5'],
  ['a limit below 0', { ...good, plans: { free: { exports: { ...exports, limit: -1 } } } }, 'limit is -1'],
  [
    'a total of what nobody keeps',
    { ...good, plans: { free: { exports: { ...exports, per: 'total' } } } },
    "per is 'total', which is for members alone",
  ],
  ['a quota a year', { ...good, plans: { free: { exports: { ...exports, per: 'year' } } } }, "per is 'year'"],
  ['a text for hard', { ...good, plans: { free: { exports: { ...exports, hard: 'no' } } } }, "hard is 'no'"],
  ['a hostile metric', { ...good, plans: { free: { "e'; --": exports } } }, 'a metric has 1 to 100'],
  ['another status', { quotaStatus: 403 }, 'quotaStatus is 403'],
  ['a warning at nothing', { warnAt: 0 }, 'warnAt is 0'],
  ['a hook that is none', { onQuotaWarning: 'mail' }, "onQuotaWarning is 'mail'"],
  ['an interval of 0', { flushIntervalMs: 0 }, 'flushIntervalMs is 0'],
  ['a misspelled option', { flushInterval: 1_000 }, 'flushInterval is no option'],
])('refuses %s, and names it', (_mistake, options, said) => {
  expect(() => checkUsageOptions(options as never)).toThrow(said);
});
