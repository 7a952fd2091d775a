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

/** The type of the event that each action is. Another action is `tenant.` and its name. */
export const ACTION_TYPES: Readonly<Record<string, string>> = {
  create: 'tenant.created',
  adopt: 'tenant.adopted',
  clone: 'tenant.cloned',
  import: 'tenant.imported',
  update: 'tenant.updated',
  suspend: 'tenant.suspended',
  activate: 'tenant.activated',
  delete: 'tenant.deleted',
  restore: 'tenant.restored',
  purge: 'tenant.purged',
  'add-domain': 'tenant.domain-added',
  'remove-domain': 'tenant.domain-removed',
  move: 'tenant.move-begun',
  moved: 'tenant.moved',
  'move-failed': 'tenant.move-failed',
  'create-key': 'api-key.created',
  'update-key': 'api-key.updated',
  'rotate-key': 'api-key.rotated',
  'block-key': 'api-key.blocked',
  'unblock-key': 'api-key.unblocked',
  'revoke-key': 'api-key.revoked',
  'set-setting': 'setting.changed',
  'reset-setting': 'setting.reset',
};
