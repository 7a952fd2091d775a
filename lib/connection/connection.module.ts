import { type FactoryProvider, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ContextModule } from '../context/context.module';
import { TenantContext } from '../context/tenant-context';
import { RegistryModule } from '../registry/registry.module';
import { RegistryTurns } from '../registry/registry-turns';
import { PoolStatistics } from './pool/pool-statistics';
import {
  adminDataSource,
  lookupsDataSource,
  registryDataSource,
  tenantsDataSource,
} from './typeorm/data-sources';
import { ServersModule } from './servers/servers.module';
import { FleetReader } from './typeorm/fleet-reader';
import { OwnSessions } from './typeorm/own-sessions';
import { SystemTransactions } from './typeorm/system-transactions';
import { TenantConnection } from './typeorm/tenant-connection';
import { TenantTransactions } from './typeorm/tenant-transactions';

/** Tells the registry for which tenant the current code runs. */
const turnsOfTenants: FactoryProvider = {
  provide: 'TURNS_OF_TENANTS',
  inject: [RegistryTurns, TenantContext],
  useFactory: (turns: RegistryTurns, context: TenantContext) => {
    turns.whose = () => {
      const { tenant, unlimited } = context.frame() ?? {};
      return unlimited ? undefined : tenant?.id;
    };
    return turns;
  },
};

const services = [
  FleetReader,
  OwnSessions,
  PoolStatistics,
  SystemTransactions,
  TenantConnection,
  TenantTransactions,
];

/** The data sources, and how work reaches them. */
@Module({
  imports: [
    ContextModule,
    RegistryModule,
    ServersModule,
    TypeOrmModule.forRootAsync({ imports: [RegistryModule], ...registryDataSource }),
    TypeOrmModule.forRootAsync(lookupsDataSource),
    TypeOrmModule.forRootAsync({
      imports: [ContextModule, RegistryModule, ServersModule],
      ...tenantsDataSource,
    }),
    TypeOrmModule.forRootAsync({
      imports: [ContextModule, RegistryModule, ServersModule],
      ...adminDataSource,
    }),
  ],
  providers: [turnsOfTenants, ...services],
  exports: [ContextModule, ServersModule, ...services],
})
export class ConnectionModule {}
