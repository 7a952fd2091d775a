import { Injectable, Logger } from '@nestjs/common';
import { placeOf } from '../../placement/place';
import type { Tenant } from '../../registry/tenant';
import { SchemaMarks, tenantComment } from './schema-marks';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';

/** Writes the comment on a tenant's schema. It tells people whose schema it is, which its name does not. */
@Injectable()
export class SchemaComment {
  readonly #logger = new Logger(SchemaComment.name);

  constructor(
    private readonly transactions: SystemTransactions,
    private readonly marks: SchemaMarks,
  ) {}

  /** Writes it after a change of the slug. Only people read the slug in it, so a failure is only logged. */
  async write(tenant: Pick<Tenant, 'schemaName' | 'slug' | 'place'>): Promise<void> {
    const { schemaName, slug } = tenant;
    try {
      await this.transactions.run(async (manager) => {
        await this.marks.markOfBefore(manager, schemaName);
        await this.marks.requireOurs(manager, schemaName);
        await this.marks.write(manager, schemaName, tenantComment(slug));
      }, placeOf(tenant).server);
    } catch (error) {
      this.#logger.warn(`The comment on schema "${schemaName}" still has an old slug: ${String(error)}`);
    }
  }
}
