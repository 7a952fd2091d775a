import { freezeDeeply } from '../common/freeze-deeply';
import { type Place, placeOf } from '../placement/place';
import type { NewTenant } from '../registry/store/tenant.store';
import { type Tenant, TENANT_STATUSES, type TenantStatus } from '../registry/tenant';
import { RedisRegistryDamagedError } from './redis.errors';

/** A tenant as Redis keeps it, see `redis-scripts.ts`. */
type Texts = Partial<Record<keyof Tenant, string | null>>;

/** How a field is kept. `read` throws when the text cannot be one of it. */
interface Codec<Value> {
  readonly write: (value: Value) => string | null;
  readonly read: (text: unknown) => Value;
}

const text: Codec<string> = {
  write: (value) => value,
  read: (value) => required(value),
};

const textOrNull: Codec<string | null> = {
  write: (value) => value,
  // A field that came after the tenant was kept.
  read: (value) => (value === undefined || value === null ? null : required(value)),
};

const status: Codec<TenantStatus> = {
  write: (value) => value,
  read: (value) => TENANT_STATUSES.find((each) => each === value) ?? refuse(value),
};

const date: Codec<Date> = {
  write: (value) => String(value.getTime()),
  read: (value) => new Date(integer(value)),
};

/** The compiler asks for one that is missing. */
const CODECS: { readonly [Field in keyof Tenant]: Codec<Tenant[Field]> } = {
  id: text,
  slug: text,
  name: text,
  schemaName: text,
  place: {
    write: ({ server, isolation }) => `${server} ${isolation}`,
    read: (value) => {
      const [server, isolation, ...others] = required(value).split(' ');
      if (others.length > 0 || (isolation !== 'schema' && isolation !== 'database')) return refuse(value);
      return { server, isolation } satisfies Place;
    },
  },
  status,
  statusReason: textOrNull,
  deletedFrom: {
    write: (value) => value,
    read: (value) => (value === undefined || value === null ? null : status.read(value)),
  },
  domains: {
    write: (value) => [...new Set(value)].join(' '),
    read: (value) => required(value).split(' ').filter(Boolean).sort(),
  },
  metadata: {
    write: (value) => JSON.stringify(value),
    read: (value) => {
      const metadata: unknown = JSON.parse(required(value));
      return isObject(metadata) ? metadata : refuse(value);
    },
  },
  templateVersion: textOrNull,
  schemaVersion: textOrNull,
  version: { write: String, read: integer },
  createdAt: date,
  updatedAt: date,
};

/** Those fields that are given. */
export function writeTenant(given: Partial<Tenant>): string {
  const texts: Texts = {};
  for (const field of Object.keys(CODECS) as (keyof Tenant)[])
    if (given[field] !== undefined) texts[field] = (CODECS[field] as Codec<unknown>).write(given[field]);
  return JSON.stringify(texts);
}

/** The fields that a new tenant has when it is kept. What the script gives it is not among them. */
export function writeNewTenant(given: NewTenant): string {
  return writeTenant({ ...given, place: placeOf(given) });
}

/** @throws RedisRegistryDamagedError */
export function readTenant(kept: unknown): Tenant {
  let field: keyof Tenant | undefined;
  try {
    const texts = JSON.parse(required(kept)) as Texts;
    const values: Partial<Record<keyof Tenant, unknown>> = {};
    for (field of Object.keys(CODECS) as (keyof Tenant)[]) values[field] = CODECS[field].read(texts[field]);
    return freezeDeeply(values as unknown as Tenant);
  } catch (error) {
    throw new RedisRegistryDamagedError(
      `a tenant cannot be read${field === undefined ? '' : `: its field ${field}`}`,
      { cause: error },
    );
  }
}

function isObject(value: unknown): value is Tenant['metadata'] {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function required(value: unknown): string {
  return typeof value === 'string' ? value : refuse(value);
}

function integer(value: unknown): number {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : refuse(value);
}

function refuse(value: unknown): never {
  throw new TypeError(`not what was written: ${typeof value}`);
}
