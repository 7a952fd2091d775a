import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, quoteLiteral, type SqlExecutor } from '../common/sql';
import { ADMIN_DATA_SOURCE } from '../connection/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../tenant/tenant';

type Named = Pick<Tenant, 'schemaName' | 'slug'>;

/** The comment on a tenant's schema: whose it is, for humans, since the schema's name does not tell. */
@Injectable()
export class SchemaComment {
  readonly #logger = new Logger(SchemaComment.name);

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
  ) {}

  /** Writes it after a change of the slug. Nothing but people reads it, so a failure is logged and no more. */
  async write(tenant: Named): Promise<void> {
    try {
      await this.context.runAsSystem(() => writeSchemaComment(this.dataSource, tenant));
    } catch (error) {
      this.#logger.warn(
        `The comment on schema "${tenant.schemaName}" still has an old slug: ${String(error)}`,
      );
    }
  }
}

export function schemaComment(slug: string): string {
  return `tenant ${slug}`;
}

export async function writeSchemaComment(executor: SqlExecutor, { schemaName, slug }: Named): Promise<void> {
  await executor.query(
    `COMMENT ON SCHEMA ${quoteIdentifier(schemaName)} IS ${quoteLiteral(schemaComment(slug))}`,
  );
}
