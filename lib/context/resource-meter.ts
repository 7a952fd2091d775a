import type { Tenant } from '../registry/tenant';

/** What was counted before it was done. */
export interface MeteredUse {
  /** Takes the count back, because it was not done after all. */
  release(): void;
}

/**
 * Counts what a tenant uses, and refuses what exceeds its quota. The module for usage provides it; without that module
 * nothing does, and nothing is counted.
 */
export abstract class ResourceMeter {
  abstract reserve(metric: string, amount: number, tenant: Tenant): Promise<MeteredUse>;

  /**
   * Whether a hard quota says how many of something a tenant may have at a time, which `total` does not exceed.
   *
   * @throws the error of a quota that is used up when it does
   */
  abstract admits(metric: string, total: number, tenant: Tenant): boolean;
}

/** Counts what tenants have at a time, for reports. The module that keeps these things provides it. */
export abstract class HeldResources {
  /** `undefined` for what it does not keep. */
  abstract held(metric: string, tenant: Tenant): Promise<number> | undefined;
}
