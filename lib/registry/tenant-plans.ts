import { freezeDeeply } from '../common/freeze-deeply';
import type { Tenant } from './tenant';

/** Which plan a tenant has. Default: its `metadata.plan`. What is no name of a plan counts as none. */
export type PlanReader = (tenant: Tenant) => unknown;

export interface TenantPlansOptions<Terms> {
  /** What each plan grants, by its name. */
  readonly plans: Readonly<Record<string, Terms>>;
  /** One of `plans`: for tenants that name none, or one that is not there, such as a plan that was removed while in use. */
  readonly defaultPlan: string;
  readonly planOf?: PlanReader;
}

const planInMetadata: PlanReader = ({ metadata }) => metadata.plan;

/** The plans of an application, and who has which. */
export class TenantPlans<Terms> {
  readonly #plans: ReadonlyMap<unknown, Terms>;
  readonly #standard: Terms;
  readonly #planOf: PlanReader;

  /** @throws RangeError for a `defaultPlan` that is none of them */
  constructor({ plans, defaultPlan, planOf = planInMetadata }: TenantPlansOptions<Terms>) {
    // Hooks are told of what a plan grants, and all its tenants share that.
    this.#plans = new Map(Object.entries(freezeDeeply(plans)));
    const standard = this.#plans.get(defaultPlan);
    if (standard === undefined) throw new RangeError(`There is no plan "${defaultPlan}".`);
    this.#standard = standard;
    this.#planOf = planOf;
  }

  /** Those of its plan, or of the default one. */
  termsOf(tenant: Tenant): Terms {
    return this.#plans.get(this.#planOf(tenant)) ?? this.#standard;
  }
}
