import { Logger } from '@nestjs/common';
import { makeTenant } from '../../test/support/tenants';
import { type PlanReader, TenantPlans } from './tenant-plans';

describe('The plan of a tenant that is not one of the plans', () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  beforeEach(() => warn.mockClear());
  afterAll(() => warn.mockRestore());

  const on = (slug: string, plan?: unknown) =>
    makeTenant(slug, { metadata: plan === undefined ? {} : { plan } });

  it('counts as the default plan, and the log says so once for each name', () => {
    const plans = new TenantPlans({ plans: { free: 1, team: 2 }, defaultPlan: 'free' });
    expect(plans.termsOf(on('acme', 'teem'))).toBe(1);
    expect(plans.termsOf(on('globex', 'teem'))).toBe(1);
    expect(plans.termsOf(on('globex', 7))).toBe(1);
    expect(warn.mock.calls).toEqual([
      [
        `Tenant "acme" has the plan 'teem', which is not one of the plans (free, team), so "free" holds for it. ` +
          'Correct the plan of the tenant, or add it to the plans.',
      ],
      [expect.stringContaining('Tenant "globex" has the plan 7,')],
    ]);
  });

  it('is told once, whatever a planOf of the wrong kind answers to each request', () => {
    const plansBy = (planOf: PlanReader) =>
      new TenantPlans({ plans: { free: 1, team: 2 }, defaultPlan: 'free', planOf });
    const forgetful = plansBy(() => Promise.resolve('team'));
    const wrong = plansBy(({ slug }) => ({ of: slug }));
    for (const slug of ['acme', 'globex', 'acme'])
      for (const plans of [forgetful, wrong]) expect(plans.termsOf(on(slug))).toBe(1);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('Tenant "acme" has the plan Promise (planOf cannot be async), which')],
      [expect.stringContaining('Tenant "acme" has the plan of type object, which')],
    ]);
  });

  it.each([
    ['for a tenant of a plan', { free: 1, team: 2 }, 'team'],
    ['for a tenant without a plan', { free: 1, team: 2 }, undefined],
    ['where there is a single plan', { free: 1 }, 'team'],
  ])('is not told %s', (_of, plans, plan) => {
    new TenantPlans<number>({ plans, defaultPlan: 'free' }).termsOf(on('acme', plan));
    expect(warn).not.toHaveBeenCalled();
  });
});
