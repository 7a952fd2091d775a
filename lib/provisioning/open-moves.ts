import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { type Isolation, isSamePlace, placeOf } from '../placement/place';
import { MoveUnderWayError, TenantMovedError } from '../placement/placement.errors';
import type { Tenant } from '../registry/tenant';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';

/** Keeps work away from a tenant that is being moved: it would fail in the middle, or be left behind at the old place. */
@Injectable()
export class OpenMoves {
  readonly #tenants: string;

  constructor(
    private readonly transactions: SystemTransactions,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#tenants = `${quoteIdentifier(registrySchema)}.tenants`;
  }

  /**
   * @param what cannot be done meanwhile: `be exported`
   * @throws MoveUnderWayError; TenantMovedError when it lives elsewhere by now
   */
  requireNone(tenant: Tenant, what: string): Promise<void> {
    return this.transactions.inRegistry((manager) => this.#require(manager, tenant, what));
  }

  /**
   * What `work` gives. No move of the tenant begins meanwhile, and it is not purged: keep it short.
   *
   * @throws what `requireNone` throws
   */
  keepAway<T>(tenant: Tenant, what: string, work: () => Promise<T>): Promise<T> {
    return this.transactions.inRegistry(async (manager) => {
      // Other changes of the tenant's row go on: of those only a move and a purge lock the whole row.
      await this.#require(manager, tenant, what, 'FOR KEY SHARE');
      return work();
    });
  }

  /** What long work gives, which a move may overtake: then it fails in the middle, and is told why. */
  async overtaken<T>(tenant: Tenant, what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.requireNone(tenant, what).catch((why: unknown) => {
        if (why instanceof MoveUnderWayError)
          throw new MoveUnderWayError(tenant.slug, what, { cause: error });
        if (why instanceof TenantMovedError) throw new TenantMovedError({ cause: error });
      });
      throw error;
    }
  }

  /** The slugs of tenants that are being moved, by their ids. */
  async list(): Promise<Map<string, string>> {
    const moving = await this.transactions.inRegistry((manager) =>
      manager.query<{ id: string; slug: string }[]>(
        `SELECT id, slug FROM ${this.#tenants} WHERE move_id IS NOT NULL`,
      ),
    );
    return new Map(moving.map(({ id, slug }) => [id, slug]));
  }

  async #require(executor: SqlExecutor, tenant: Tenant, what: string, lock = ''): Promise<void> {
    const [row] = (await executor.query(
      `SELECT move_id AS "moveId", server, isolation FROM ${this.#tenants} WHERE id = $1 ${lock}`,
      [tenant.id],
    )) as { moveId: string | null; server: string; isolation: Isolation }[];
    // A store of the application has no row here, and its tenants do not move.
    if (row?.moveId) throw new MoveUnderWayError(tenant.slug, what);
    if (row && !isSamePlace(row, placeOf(tenant))) throw new TenantMovedError();
  }
}
