import { Field, ID, ObjectType } from '@nestjs/graphql';
import { ApiProperty } from '@nestjs/swagger';
import { Column, CreateDateColumn, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** A row, and how REST and GraphQL show it. */
@ObjectType()
@Entity('orders')
export class Order {
  @PrimaryGeneratedColumn('uuid')
  @Field(() => ID)
  @ApiProperty({ format: 'uuid' })
  id!: string;

  @Column()
  @Field()
  @ApiProperty()
  description!: string;

  @Index('orders_created_at')
  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  @Field()
  @ApiProperty()
  createdAt!: Date;
}
