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
  /** Fingerprint of the template this tenant's schema was cloned from; `null` if it was adopted, or imported with another structure. */
  readonly templateVersion: string | null;
  /** Name of the last migration that its schema has seen: `AddPlace1700000001000`. `null`: none, or nobody knows. */
  readonly schemaVersion: string | null;
  /** 1 at first, and higher after every change, of its domains too: it tells whether anything has changed since. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * What happens to each field of a tenant; the compiler asks for one that is missing. `given`: whoever makes the tenant says
 * what it is, otherwise the store does. `changes`: `TenantStore.update()` may change it. `shown`: the admin API shows it.
 */
const FIELDS = {
  id: ['given', 'shown'],
  slug: ['given', 'changes', 'shown'],
  name: ['given', 'changes', 'shown'],
  schemaName: ['given', 'shown'],
  place: ['shown'],
  status: ['given', 'changes', 'shown'],
  statusReason: ['changes'],
  deletedFrom: ['changes'],
  domains: ['given', 'shown'],
  metadata: ['given', 'changes', 'shown'],
  templateVersion: ['given'],
  schemaVersion: ['given', 'changes', 'shown'],
  version: [],
  createdAt: ['shown'],
  updatedAt: ['shown'],
} as const satisfies Readonly<Record<keyof Tenant, readonly ('given' | 'changes' | 'shown')[]>>;

type Fields = typeof FIELDS;

/** The fields of which `FIELDS` says this. */
export type TenantField<Said extends Fields[keyof Fields][number]> = {
  [Name in keyof Fields]: Said extends Fields[Name][number] ? Name : never;
}[keyof Fields];

/** Their names, in the order in which a tenant has them. */
export function tenantFields<Said extends Fields[keyof Fields][number]>(said: Said): TenantField<Said>[] {
  const entries = Object.entries(FIELDS) as [keyof Tenant, readonly string[]][];
  return entries.filter(([, all]) => all.includes(said)).map(([name]) => name as TenantField<Said>);
}

/** A tenant made of an object that has its fields, without whatever else is in it. */
export function pickTenant(source: Tenant): Tenant {
  return pick(source, Object.keys(FIELDS) as (keyof Tenant)[]);
}

/** A new object with these fields. */
export function pick<Source extends object, Name extends keyof Source>(
  source: Source,
  names: readonly Name[],
): Pick<Source, Name> {
  return Object.fromEntries(names.map((name) => [name, source[name]])) as Pick<Source, Name>;
}

/** What a resolver read from a request. Nothing in it has been checked yet. */
export interface TenantClaim {
  readonly by: 'slug' | 'id' | 'domain';
  readonly value: string;
}
