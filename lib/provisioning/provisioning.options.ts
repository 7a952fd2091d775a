export const PROVISIONING_OPTIONS = Symbol('PROVISIONING_OPTIONS');

export interface ProvisioningOptions {
  /** The schema that new tenants are cloned from. */
  readonly templateSchema: string;
  /** The schema of the registry, which holds the template's ledger. */
  readonly registrySchema: string;
  /** Run pending migrations on the template at start; else their presence is an error. */
  readonly migrateTemplate: boolean;
  /** Slugs that no tenant may have. */
  readonly reservedSlugs: readonly string[];
}
