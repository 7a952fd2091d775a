import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier } from '../common/sql';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { MoveUnderWayError } from '../placement/placement.errors';
import type { Tenant } from '../registry/tenant';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';

/** Keeps long work away from a tenant that is being moved: it would fail in the middle, when the tenant is put away. */
@Injectable()
export class OpenMoves {
  readonly #tenants: string;

  constructor(
    private readonly transactions: SystemTransactions,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#tenants = `${quoteIdentifier(registrySchema)}.tenants`;
  }

  /** @param what cannot be done meanwhile: `be exported`. @throws MoveUnderWayError */
  async requireNone({ id, slug }: Tenant, what: string): Promise<void> {
    const moving = await this.transactions.inRegistry((manager) =>
      manager.query<unknown[]>(`SELECT FROM ${this.#tenants} WHERE id = $1 AND move_id IS NOT NULL`, [id]),
    );
    if (moving.length > 0) throw new MoveUnderWayError(slug, what);
  }
}
