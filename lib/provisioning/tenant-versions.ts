import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';

/** Notes which migrations a new tenant's schema has in it already, so that none runs there again. */
@Injectable()
export class TenantVersions {
  readonly #schema: string;

  constructor(@Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions) {
    this.#schema = quoteIdentifier(registrySchema);
  }

  /** In the transaction that makes the tenant: those of the template, or those of the tenant that it is a copy of. */
  async record(transaction: SqlExecutor, tenantId: string, copyOf: string | undefined): Promise<void> {
    const [source, parameters] =
      copyOf === undefined
        ? [`${this.#schema}.template_migrations`, [tenantId]]
        : [`${this.#schema}.tenant_migrations WHERE tenant_id = $2 AND state = 'done'`, [tenantId, copyOf]];
    await transaction.query(
      `INSERT INTO ${this.#schema}.tenant_migrations (tenant_id, name, timestamp, checksum, state)
       SELECT $1, name, timestamp, checksum, 'done' FROM ${source}`,
      parameters,
    );
  }
}
