import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import {
  DataSource,
  type EntityManager,
  type EntityTarget,
  type ObjectLiteral,
  type Repository,
  type SelectQueryBuilder,
} from 'typeorm';
import { TENANT_DATA_SOURCE } from './tenant-data-source';

export type IsolationLevel = 'READ UNCOMMITTED' | 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';

/**
 * The current tenant's database: TypeORM's own objects, whose every statement runs for the tenant of the code that
 * sends it. Stateless, so one instance serves everybody.
 *
 * Each method rejects with `TenantRequiredError` when the calling code runs for nobody.
 */
@Injectable()
export class TenantConnection {
  constructor(@InjectDataSource(TENANT_DATA_SOURCE) readonly dataSource: DataSource) {}

  get manager(): EntityManager {
    return this.dataSource.manager;
  }

  getRepository<Entity extends ObjectLiteral>(target: EntityTarget<Entity>): Repository<Entity> {
    return this.dataSource.getRepository(target);
  }

  createQueryBuilder<Entity extends ObjectLiteral>(
    target: EntityTarget<Entity>,
    alias: string,
  ): SelectQueryBuilder<Entity> {
    return this.dataSource.createQueryBuilder(target, alias);
  }

  /** Rows of one statement. Name tables without their schema. */
  query<Rows = unknown[]>(sql: string, parameters?: unknown[]): Promise<Rows> {
    return this.dataSource.query<Rows>(sql, parameters);
  }

  /** What `work` gives, in one transaction: committed when it resolves, rolled back when it rejects. */
  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T>;
  transaction<T>(isolation: IsolationLevel, work: (manager: EntityManager) => Promise<T>): Promise<T>;
  transaction<T>(
    first: IsolationLevel | ((manager: EntityManager) => Promise<T>),
    second?: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    return typeof first === 'function'
      ? this.dataSource.transaction(first)
      : this.dataSource.transaction(first, second as (manager: EntityManager) => Promise<T>);
  }
}
