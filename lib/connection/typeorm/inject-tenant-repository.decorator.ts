import { InjectRepository } from '@nestjs/typeorm';
import { TENANT_DATA_SOURCE } from './tenant-data-source';

/** Injects the ordinary TypeORM repository of an entity listed in `TenancyModule.forFeature()`. */
export function InjectTenantRepository(entity: Parameters<typeof InjectRepository>[0]): ParameterDecorator {
  return InjectRepository(entity, TENANT_DATA_SOURCE);
}
