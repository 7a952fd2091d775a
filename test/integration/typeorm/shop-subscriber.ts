import {
  EventSubscriber,
  type EntitySubscriberInterface,
  type InsertEvent,
  type LoadEvent,
  type TransactionCommitEvent,
  type UpdateEvent,
} from 'typeorm';
import type { TenantContext } from '../../../lib/context/tenant-context';
import { AuditEntry, Customer, Order } from './shop-entities';

export interface Sighting {
  readonly event: string;
  /** The tenant of the context that the subscriber was called in. */
  readonly context: string | undefined;
  /** The stamp of what it was given, or found by a statement of its own. */
  readonly owner: string;
}

/** Listens to orders, asks the database at every occasion, and notes what it sees. */
@EventSubscriber()
export class ShopSubscriber implements EntitySubscriberInterface<Order> {
  readonly sightings: Sighting[] = [];
  context: TenantContext | undefined;

  listenTo(): typeof Order {
    return Order;
  }

  afterLoad(order: Order, event?: LoadEvent<Order>): void {
    if (event) this.#note('load', order.owner);
  }

  async beforeInsert({ manager }: InsertEvent<Order>): Promise<void> {
    const [customer] = await manager.find(Customer, { order: { id: 'ASC' }, take: 1 });
    this.#note('before insert', customer.owner);
  }

  async afterInsert({ manager, entity }: InsertEvent<Order>): Promise<void> {
    const entry = await manager.save(AuditEntry, { label: `${entity.label} inserted` });
    const saved = await manager.findOneByOrFail(AuditEntry, { id: entry.id });
    this.#note('after insert', saved.owner);
  }

  async afterUpdate({ queryRunner }: UpdateEvent<Order>): Promise<void> {
    const [row] = await queryRunner.query('SELECT owner FROM customer WHERE id = $1', [1]);
    this.#note('after update', row.owner);
  }

  /**
   * Of every transaction, whatever it wrote, that which made the tables included. The connection is still lent, the
   * transaction is over.
   */
  async afterTransactionCommit({ manager, queryRunner }: TransactionCommitEvent): Promise<void> {
    if (!this.context?.find()) return;
    const found = await manager.findOneByOrFail(Customer, { id: 1 });
    const [row] = await queryRunner.query('SELECT owner FROM customer WHERE id = 2');
    this.#note('after commit', found.owner);
    this.#note('after commit', row.owner);
  }

  #note(event: string, owner: string): void {
    this.sightings.push({ event, context: this.context?.find()?.slug, owner });
  }
}
