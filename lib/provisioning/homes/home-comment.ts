import { Injectable, Logger } from '@nestjs/common';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { placeOf } from '../../placement/place';
import type { Tenant } from '../../registry/tenant';
import { Homes } from './homes';

/** Writes the comment on a tenant's schema. It tells people whose schema it is, which its name does not. */
@Injectable()
export class HomeComment {
  readonly #logger = new Logger(HomeComment.name);

  constructor(
    private readonly transactions: SystemTransactions,
    private readonly homes: Homes,
  ) {}

  /** Writes it after a change of the slug. Only people read the slug in it, so a failure is only logged. */
  async write(tenant: Pick<Tenant, 'schemaName' | 'slug' | 'place'>): Promise<void> {
    try {
      await this.transactions.run(
        (manager) => this.homes.of(tenant).comment(manager, tenant),
        placeOf(tenant).server,
      );
    } catch (error) {
      this.#logger.warn(
        `The comment on schema "${tenant.schemaName}" still has an old slug: ${String(error)}`,
      );
    }
  }
}
