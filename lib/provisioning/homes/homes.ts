import { Injectable } from '@nestjs/common';
import { type Isolation, placeOf } from '../../placement/place';
import type { Tenant } from '../../registry/tenant';
import { DatabaseHome } from './database-home';
import { SchemaHome } from './schema-home';
import type { TenantHome } from './tenant-home';

/** Which home a tenant has. */
@Injectable()
export class Homes {
  readonly #byIsolation: Readonly<Record<Isolation, TenantHome>>;

  constructor(schema: SchemaHome, database: DatabaseHome) {
    this.#byIsolation = { schema, database };
  }

  /** All kinds of homes. */
  get all(): readonly TenantHome[] {
    return Object.values(this.#byIsolation);
  }

  ofIsolation(isolation: Isolation): TenantHome {
    return this.#byIsolation[isolation];
  }

  of(tenant: Partial<Pick<Tenant, 'place'>>): TenantHome {
    return this.ofIsolation(placeOf(tenant).isolation);
  }
}
