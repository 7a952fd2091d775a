/** An action on a tenant, to be recorded together with the change itself. */
export interface TenantAction {
  /**
   * What was done: `create`, `update`, `suspend`, `activate`, `delete`, `restore`, `add-domain`, `remove-domain`,
   * `purge`, `move`, `moved`, `move-failed`.
   */
  readonly action: string;
  /** Who did it: the name of a master key, or a name that the calling code chose. At most 200 characters. */
  readonly actor?: string;
  /** Why, as the caller said. At most 500 characters. */
  readonly reason?: string;
  /**
   * What changed, as JSON: names of fields, an old and a new slug, a domain. Never metadata, which may hold secrets.
   */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An action as it was recorded. */
export interface AuditRecord {
  /** Decimal digits; greater than those of every earlier record of the tenant. */
  readonly id: string;
  readonly tenantId: string;
  readonly action: string;
  readonly actor: string | null;
  readonly reason: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

export interface AuditQuery {
  readonly tenantId: string;
  /** An integer from 1. */
  readonly limit: number;
  /** The id of a record: only earlier records are returned. */
  readonly beforeId?: string;
}
