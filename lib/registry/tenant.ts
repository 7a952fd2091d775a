import type { Place } from '../placement/place';

export const TENANT_STATUSES = ['provisioning', 'active', 'suspended', 'deleted'] as const;

/** Where a tenant is in its life. Only `active` tenants are served. */
export type TenantStatus = (typeof TENANT_STATUSES)[number];

/**
 * One customer: a row of the registry and the PostgreSQL schema it names. It is cached, and all callers get the same
 * object, so it is deeply frozen: changing it throws a TypeError in strict code. Spread it for a copy of your own, and
 * its `metadata` and dates as well.
 */
export interface Tenant {
  /** UUID version 7; never reused. */
  readonly id: string;
  /** What people type and what hosts carry; may be renamed. */
  readonly slug: string;
  readonly name: string;
  /** Made once, never renamed, never reused. */
  readonly schemaName: string;
  /** Where its schema is. */
  readonly place: Place;
  readonly status: TenantStatus;
  /** The reason for its status, as given by the caller who changed it. */
  readonly statusReason: string | null;
  /** What a deleted tenant was before, for its restoration; `null` for all others. */
  readonly deletedFrom: TenantStatus | null;
  /** Lower-case ASCII host names, sorted. */
  readonly domains: readonly string[];
  /** A JSON object of at most 16 kB. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Fingerprint of the template this tenant's schema was cloned from; `null` for an adopted schema. */
  readonly templateVersion: string | null;
  /** Name of the last migration that its schema has seen: `AddPlace1700000001000`. `null`: none, or nobody knows. */
  readonly schemaVersion: string | null;
  /** 1 at first, and higher after every change, of its domains too: it tells whether anything has changed since. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What a resolver read from a request. Nothing in it has been checked yet. */
export interface TenantClaim {
  readonly by: 'slug' | 'id' | 'domain';
  readonly value: string;
}
