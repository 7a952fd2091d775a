import {
  AfterLoad,
  BeforeInsert,
  ChildEntity,
  Column,
  CreateDateColumn,
  type DataSource,
  DeleteDateColumn,
  Entity,
  Index,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  VersionColumn,
  ViewColumn,
  ViewEntity,
} from 'typeorm';

/** Says twice whose a row is: once by the schema that it lies in, once by the code that wrote it. */
export abstract class Stamped {
  /** The column's default, which differs by schema. Nobody writes it. */
  @Column({ insert: false, update: false, default: '' })
  owner!: string;

  /** Begins with the slug of the tenant that the writing code ran for. */
  @Column()
  label!: string;
}

export class Address {
  @Column()
  street!: string;

  @Column({ nullable: true, type: 'varchar' })
  city!: string | null;
}

@Entity()
export class Customer extends Stamped {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(() => Address)
  address!: Address;

  @OneToOne(() => Profile, (profile) => profile.customer, { cascade: true })
  profile!: Relation<Profile>;

  @OneToMany(() => Order, (order) => order.customer, { cascade: ['insert'] })
  orders!: Relation<Order>[];
}

@Entity()
export class Profile extends Stamped {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('jsonb', { default: {} })
  preferences!: Record<string, unknown>;

  @OneToOne(() => Customer, (customer) => customer.profile, { onDelete: 'CASCADE' })
  @JoinColumn()
  customer!: Relation<Customer>;
}

export enum OrderStatus {
  Open = 'open',
  Paid = 'paid',
}

/** Its name is a reserved word of SQL. */
@Entity()
export class Order extends Stamped {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'enum', enum: OrderStatus, default: OrderStatus.Open })
  status!: OrderStatus;

  @Column('numeric', { default: 0, transformer: { from: Number, to: (cents: number) => cents } })
  cents!: number;

  @Column('text', { array: true, default: [] })
  notes!: string[];

  @Column({ type: 'text', generatedType: 'STORED', asExpression: 'upper(label)' })
  shout!: string;

  @ManyToOne(() => Customer, (customer) => customer.orders)
  customer!: Relation<Customer>;

  @OneToMany(() => OrderLine, (line) => line.order, { cascade: true, eager: true })
  lines!: Relation<OrderLine>[];

  @ManyToMany(() => Tag, (tag) => tag.orders, { cascade: ['insert'] })
  @JoinTable({ name: 'order_tag' })
  tags!: Promise<Tag[]>;

  @OneToMany(() => Payment, (payment) => payment.order)
  payments!: Promise<Payment[]>;

  @VersionColumn()
  version!: number;

  @CreateDateColumn()
  createdAt!: Date;

  @UpdateDateColumn()
  updatedAt!: Date;

  @DeleteDateColumn()
  deletedAt!: Date | null;

  loadedAs?: string;
  insertedBy?: string;

  @AfterLoad()
  noteLoad(): void {
    this.loadedAs = this.owner;
  }

  @BeforeInsert()
  noteInsert(): void {
    this.insertedBy = this.label;
  }
}

@Entity()
export class OrderLine extends Stamped {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('int', { default: 1 })
  quantity!: number;

  @ManyToOne(() => Order, (order) => order.lines, { onDelete: 'CASCADE', orphanedRowAction: 'delete' })
  order!: Relation<Order>;

  @ManyToOne(() => Product)
  product!: Promise<Product | null>;
}

@Entity()
export class Product extends Stamped {
  @PrimaryGeneratedColumn()
  id!: number;

  @Index({ unique: true })
  @Column()
  sku!: string;

  @Column('int', { default: 0 })
  stock!: number;
}

@Entity()
export class Tag extends Stamped {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToMany(() => Order, (order) => order.tags)
  orders!: Promise<Order[]>;
}

@Entity()
@TableInheritance({ column: { name: 'kind', type: 'varchar' } })
export class Payment extends Stamped {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => Order, (order) => order.payments)
  order!: Promise<Order | null>;
}

@ChildEntity()
export class CardPayment extends Payment {
  @Column()
  lastDigits!: string;
}

@ChildEntity()
export class CashPayment extends Payment {
  @Column('int')
  coins!: number;
}

/** Written by a subscriber. */
@Entity()
export class AuditEntry extends Stamped {
  @PrimaryGeneratedColumn('identity')
  id!: number;
}

@Entity()
@Tree('materialized-path')
export class Folder extends Stamped {
  @PrimaryColumn()
  id!: number;

  @TreeParent({ onDelete: 'CASCADE' })
  parent!: Folder | null;

  @TreeChildren({ cascade: true })
  children!: Folder[];
}

@Entity()
@Tree('closure-table')
export class Category extends Stamped {
  @PrimaryColumn()
  id!: number;

  @TreeParent({ onDelete: 'CASCADE' })
  parent!: Category | null;

  @TreeChildren({ cascade: true })
  children!: Category[];
}

@Entity()
@Tree('nested-set')
export class Region extends Stamped {
  @PrimaryColumn()
  id!: number;

  @TreeParent({ onDelete: 'CASCADE' })
  parent!: Region | null;

  @TreeChildren({ cascade: true })
  children!: Region[];
}

@ViewEntity({
  expression: (dataSource: DataSource) =>
    dataSource
      .createQueryBuilder(Customer, 'customer')
      .select('customer.id', 'id')
      .addSelect('customer.owner', 'owner')
      .addSelect('count(purchase.id)::int', 'orders')
      .leftJoin(Order, 'purchase', 'purchase."customerId" = customer.id')
      .groupBy('customer.id'),
})
export class CustomerSummary {
  @ViewColumn()
  id!: number;

  @ViewColumn()
  owner!: string;

  @ViewColumn()
  orders!: number;
}

@ViewEntity({ materialized: true, expression: 'SELECT id, owner, stock FROM product' })
export class StockReport {
  @ViewColumn()
  id!: number;

  @ViewColumn()
  owner!: string;

  @ViewColumn()
  stock!: number;
}

export const SHOP_ENTITIES = [
  Customer,
  Profile,
  Order,
  OrderLine,
  Product,
  Tag,
  Payment,
  CardPayment,
  CashPayment,
  AuditEntry,
  Folder,
  Category,
  Region,
  CustomerSummary,
  StockReport,
];
