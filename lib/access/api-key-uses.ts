import { Inject, Injectable, Optional } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { backgroundClock, type Clock, CLOCK } from '../common/clock';
import { TenantContext } from '../context/tenant-context';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { RegistryTime } from '../registry/registry-time';
import { ACCESS_OPTIONS, type CheckedAccessOptions } from './access.options';
import { ApiKeyRows } from './api-key-rows';
import { LastUses } from './last-uses';

/** When keys were last used. */
@Injectable()
export class ApiKeyUses extends LastUses {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) registry: DataSource,
    rows: ApiKeyRows,
    time: RegistryTime,
    context: TenantContext,
    @Inject(ACCESS_OPTIONS) { lastUsedIntervalMs: intervalMs }: CheckedAccessOptions,
    @Optional() @Inject(CLOCK) clock: Clock = backgroundClock,
  ) {
    const write: (typeof rows)['recordUses'] = (transaction, uses) => rows.recordUses(transaction, uses);
    super({ what: 'lastUsedAt of API keys', intervalMs, registry, time, context, clock, write });
  }
}
