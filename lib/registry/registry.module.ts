import { type FactoryProvider, Module } from '@nestjs/common';
import { type ModuleRef, ModulesContainer } from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { RegistryLookups } from './cache/registry-lookup';
import { PlaceLookup } from './cache/place-lookup';
import { TenantLookup } from './cache/tenant-lookup';
import { notify, changesChannel } from './changes/tenant-changes-channel';
import { JoinedTenantChanges, NoTenantChanges, TenantChangeFeed } from './changes/tenant-changes';
import { TenantChangesListener } from './changes/tenant-changes-listener';
import { TenantChangesSession } from './changes/tenant-changes-session';
import { EventRecorder } from './events/event-recorder';
import { EventSealer } from './events/event-sealer';
import { EventTrail } from './events/event-trail';
import { LOOKUPS_DATA_SOURCE, REGISTRY_DATA_SOURCE } from './registry';
import { REGISTRY_MIGRATIONS, registryMigrations } from './registry-migrations';
import { RegistryTime } from './registry-time';
import { RegistryTurns } from './registry-turns';
import { REGISTRY_OPTIONS, type RegistryModuleOptions, STORE_MAKER } from './registry.options';
import { TenantStore } from './store/tenant.store';
import { TypeOrmTenantStore } from './store/typeorm-tenant.store';

const store: FactoryProvider<TenantStore | Promise<TenantStore>> = {
  provide: TenantStore,
  inject: [
    REGISTRY_OPTIONS,
    getDataSourceToken(REGISTRY_DATA_SOURCE),
    getDataSourceToken(LOOKUPS_DATA_SOURCE),
    STORE_MAKER,
    EventSealer,
  ],
  useFactory: (
    options: RegistryModuleOptions,
    registry: DataSource,
    lookups: DataSource,
    maker: ModuleRef,
    sealer: EventSealer,
  ) => {
    if (options.store === undefined) return new TypeOrmTenantStore(registry, lookups, sealer);
    return typeof options.store === 'function' ? maker.create(options.store) : options.store;
  },
};

/**
 * The registry announces its changes. A store of the application does if it has `changes`; then PostgreSQL is listened to as
 * well, which tells of keys and settings.
 */
const changeFeed: FactoryProvider<TenantChangeFeed> = {
  provide: TenantChangeFeed,
  inject: [REGISTRY_OPTIONS, getDataSourceToken(LOOKUPS_DATA_SOURCE), TenantStore],
  useFactory: (
    { store, schema, feedConnection }: RegistryModuleOptions,
    lookups: DataSource,
    { changes }: TenantStore,
  ) => {
    if (store !== undefined && !changes) return new NoTenantChanges();
    const session = {
      connection: feedConnection,
      channel: changesChannel(schema),
      notify: (channel: string, payload: string) => notify(lookups, channel, payload),
    };
    const listener = new TenantChangesListener(
      (events, clock) => new TenantChangesSession(session, events, clock),
    );
    return changes ? new JoinedTenantChanges([changes, listener]) : listener;
  },
};

const registryTime: FactoryProvider<Promise<RegistryTime>> = {
  provide: RegistryTime,
  inject: [getDataSourceToken(LOOKUPS_DATA_SOURCE)],
  useFactory: (lookups: DataSource) => RegistryTime.open(lookups),
};

const migrations: FactoryProvider = {
  provide: REGISTRY_MIGRATIONS,
  inject: [ModulesContainer],
  useFactory: registryMigrations,
};

/** Our own tables: which tenants there are. */
@Module({
  providers: [
    changeFeed,
    EventRecorder,
    EventSealer,
    EventTrail,
    migrations,
    PlaceLookup,
    RegistryTurns,
    RegistryLookups,
    registryTime,
    store,
    TenantLookup,
  ],
  exports: [
    EventRecorder,
    EventSealer,
    EventTrail,
    PlaceLookup,
    REGISTRY_MIGRATIONS,
    RegistryLookups,
    RegistryTime,
    RegistryTurns,
    TenantChangeFeed,
    TenantLookup,
    TenantStore,
  ],
})
export class RegistryModule {}
