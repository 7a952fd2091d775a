import type { FactoryProvider } from '@nestjs/common';
import { getDataSourceToken, type TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { ModuleMissingError } from '../../common/start.errors';
import { EntityNotListedError } from '../connection-start.errors';
import { TENANT_DATA_SOURCE } from './tenant-data-source';

type Entities = NonNullable<Parameters<typeof TypeOrmModule.forFeature>[0]>;

/** Fails a start in which a module asks for repositories of what the data source does not know: TypeORM says so at the first query. */
export function entitiesCheck(entities: Entities = []): FactoryProvider {
  return {
    provide: Symbol('ENTITIES_CHECK'),
    inject: [{ token: getDataSourceToken(TENANT_DATA_SOURCE), optional: true }],
    useFactory: (dataSource?: DataSource) => {
      if (!dataSource) throw new ModuleMissingError(['TenancyModule.forFeature()', 'TenancyModule']);
      const unknown = entities.filter((entity) => !dataSource.hasMetadata(entity));
      if (unknown.length === 0) return true;
      const names = unknown.map(nameOf).join(', ');
      throw new EntityNotListedError(`TenancyModule.forFeature() names ${names}, which`);
    },
  };
}

function nameOf(entity: Entities[number]): string {
  return typeof entity === 'function' ? entity.name : entity.options.name;
}
