import { Logger } from '@nestjs/common';
import { freezeDeeply } from '../common/freeze-deeply';
import { isPlainObject } from '../common/options/kinds';
import { show } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';
import { ToldNames } from '../common/told-names';
import type { Tenant } from './tenant';

/** Gives the plan of a tenant. Default: its `metadata.plan`. An unknown name counts as no plan. */
export type PlanReader = (tenant: Tenant) => unknown;

export interface TenantPlansOptions<Terms> {
  /** What each plan grants, by its name. */
  readonly plans: Readonly<Record<string, Terms>>;
  /**
   * One of `plans`: for tenants without a plan, or with an unknown one, such as a plan that was removed while in use.
   */
  readonly defaultPlan: string;
  readonly planOf?: PlanReader;
}

/** What is wrong with the default plan, or `false`. Without plans nothing can be said of it. */
export function defaultPlanProblem(plans: unknown, defaultPlan: unknown): FieldError | false {
  if (!isPlainObject(plans)) return false;
  if (typeof defaultPlan === 'string' && Object.hasOwn(plans, defaultPlan)) return false;
  return {
    field: 'defaultPlan',
    message: `is ${show(defaultPlan)}: name one of plans, for tenants without one`,
  };
}

const planInMetadata: PlanReader = ({ metadata }) => metadata.plan;

/** The plans of an application, and which tenant has which. */
export class TenantPlans<Terms> {
  readonly #plans: ReadonlyMap<unknown, Terms>;
  readonly #standard: Terms;
  readonly #planOf: PlanReader;
  readonly #defaultPlan: string;
  readonly #logger = new Logger('Tenancy');
  /** Unknown plans. */
  readonly #told = new ToldNames();

  /** @throws RangeError when `defaultPlan` is not one of `plans` */
  constructor({ plans, defaultPlan, planOf = planInMetadata }: TenantPlansOptions<Terms>) {
    // Frozen, because hooks are given the terms of a plan, and all its tenants share them.
    this.#plans = new Map(Object.entries(freezeDeeply(plans)));
    const standard = this.#plans.get(defaultPlan);
    if (standard === undefined) throw new RangeError(`There is no plan "${defaultPlan}".`);
    this.#standard = standard;
    this.#planOf = planOf;
    this.#defaultPlan = defaultPlan;
  }

  /** The terms of its plan, or of the default plan. */
  termsOf(tenant: Tenant): Terms {
    const plan = this.#planOf(tenant);
    const terms = this.#plans.get(plan);
    if (terms !== undefined) return terms;
    // With a single plan there is no name to mistype: the names may be those of another module.
    if (plan !== undefined && plan !== null && this.#plans.size > 1) this.#tell(tenant, shown(plan));
    return this.#standard;
  }

  /** Once for each name: a tenant that pays for another plan would have the default one, and nothing would say so. */
  #tell({ slug }: Tenant, plan: string): void {
    if (!this.#told.isNew(plan)) return;
    const names = [...this.#plans.keys()].join(', ');
    this.#logger.warn(
      `Tenant "${slug}" has the plan ${plan}, which is not one of the plans (${names}), so "${this.#defaultPlan}" holds for it. ` +
        'Correct the plan of the tenant, or add it to the plans.',
    );
  }
}

/** A name is shown. Of what is no name only its kind: each tenant could have another value, and each request another promise. */
function shown(plan: unknown): string {
  if (plan instanceof Promise) return 'Promise (planOf cannot be async)';
  return typeof plan === 'object' || typeof plan === 'function' ? `of type ${typeof plan}` : show(plan);
}
