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
}
