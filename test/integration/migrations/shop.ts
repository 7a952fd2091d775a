import {
  Check,
  Column,
  Entity,
  Index,
  JoinTable,
  ManyToMany,
  ManyToOne,
  PrimaryGeneratedColumn,
  ViewColumn,
  ViewEntity,
} from 'typeorm';

@Entity()
export class Customer {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column({ type: 'enum', enum: ['new', "old'"], default: 'new' })
  kind!: string;

  @Column({ comment: `not the schema: "my template"."kind"` })
  name!: string;
}

@Entity()
@Check('"total" > 0')
export class Sale {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => Customer)
  customer!: Customer;

  @Column({ type: 'enum', enum: ['open', 'paid'], array: true, default: ['open'] })
  states!: string[];

  @Index()
  @Column('numeric')
  total!: string;

  @Column({ type: 'numeric', generatedType: 'STORED', asExpression: 'total * 2' })
  doubled!: string;

  @ManyToMany(() => Customer)
  @JoinTable()
  guests!: Customer[];
}

@ViewEntity({ expression: 'SELECT sum(total) AS total FROM sale' })
export class Total {
  @ViewColumn()
  total!: string;
}

/** An application with what TypeORM generates beyond tables: enums, a view, a generated column. */
export const SHOP = [Customer, Sale, Total];
