import type { EntityManager } from 'typeorm';
import type { IsolationLevel } from '../../connection/typeorm/tenant-connection';
import type { Tenant } from '../../registry/tenant';
import type { NewTenant } from '../../registry/store/tenant.store';
import type { Located } from '../marks/database-marks';
import type { DroppedPart } from '../marks/schema-drop';

/** The fields of a tenant before it has a schema. */
export type Draft = Omit<NewTenant, 'status' | 'templateVersion' | 'schemaVersion'> & Pick<Tenant, 'place'>;

/** What is to be made for a new tenant. */
export interface HomePlan extends Pick<NewTenant, 'schemaName' | 'templateVersion' | 'schemaVersion'> {
  /** Makes the schema. Left out: it is there, because it is a spare's, or adopted. */
  readonly fill?: (manager: EntityManager, tenant: Tenant) => Promise<void>;
}

/** How a tenant is made, wherever it lives. Each step gets a transaction; what comes after one is not begun when it fails. */
export interface MakeSteps {
  /** Of the transaction in which `choose` works. */
  readonly isolation: IsolationLevel;
  /** Says what is to be made, and inserts the tenant's row. In the server's main database, which has the template. */
  choose(manager: EntityManager): Promise<HomePlan>;
  /** Notes in the server's main database which migrations the schema has in it. */
  note(manager: EntityManager): Promise<void>;
  /** Makes the schema, with all that is committed together with it. In the database that is to have it. */
  fill(manager: EntityManager, plan: HomePlan): Promise<void>;
}

/** Something that has a name as a tenant's schema has, and may be nobody's. */
export interface FoundHome {
  readonly name: string;
  /** The registry that its comment names. */
  readonly owner: string | null;
}

/**
 * How the schemas of tenants are kept on a server: one beside the other in one database, or each in a database of its own. One
 * for each isolation. What is asked of a transaction is asked in the server's main database, the one that its URL leads to.
 */
export abstract class TenantHome {
  /** Does the steps for a new tenant. Rejected, it may have left something, which `discard` takes away. */
  abstract make(draft: Draft, steps: MakeSteps): Promise<void>;

  /** Whether all of it is there. It is committed together with its comment, so the comment tells. */
  abstract isComplete(transaction: EntityManager, tenant: Tenant): Promise<boolean>;

  /** Does what a maker that died after the commit has not done. */
  abstract finish(tenant: Tenant): Promise<void>;

  /** Takes away what was made for a tenant that is not to be. */
  abstract discard(home: Located): Promise<void>;

  /** @throws PurgeBlockedError, SchemaNotMarkedError, RegistryCopiedError when it must not be dropped */
  abstract requireDroppable(transaction: EntityManager, tenant: Tenant): Promise<void>;

  /**
   * Drops a part of it. Called until the last part, each time in a transaction of its own, it drops all of it.
   *
   * @param isCounted whether an earlier part has told of all tables
   * @throws SchemaNotMarkedError, RegistryCopiedError
   */
  abstract dropNextPart(transaction: EntityManager, home: Located, isCounted: boolean): Promise<DroppedPart>;

  /** Who keeps it from being dropped: `process 4711, idle in transaction since 09:12:33`. */
  abstract listHolders(home: Located): Promise<string[]>;

  /** Says in its comment whose it is. */
  abstract comment(
    transaction: EntityManager,
    tenant: Pick<Tenant, 'schemaName' | 'slug' | 'place'>,
  ): Promise<void>;

  /** All on the server that have a name as tenants' have, and are no spares. */
  abstract listFound(transaction: EntityManager, server: string): Promise<FoundHome[]>;

  /** Whether it waits for a tenant. */
  abstract isSpare(transaction: EntityManager, schemaName: string): Promise<boolean>;

  /** The registry that it says it belongs to. No other can adopt it until the transaction ends. */
  abstract ownerOf(transaction: EntityManager, home: Located): Promise<string | undefined>;

  /** Whether it has rows that it was not made with. Nobody writes one until the transaction ends, or it is in nobody's hands. */
  abstract hasOwnRows(transaction: EntityManager, home: Located): Promise<boolean>;
}
