import { Module } from '@nestjs/common';
import { ConnectionModule } from '../connection/connection.module';
import { ProvisioningModule } from '../provisioning/provisioning.module';
import { RegistryModule } from '../registry/registry.module';
import { MoveChecks } from './move-checks';
import { MoveCopy } from './move-copy';
import { MoveEndings } from './move-endings';
import { MoveRecords } from './move-records';
import { MoveRemains } from './move-remains';
import { MoveSessions } from './move-sessions';
import { MoveSweeper } from './move-sweeper';
import { OnlineChecks } from './online-checks';
import { OnlineCopy } from './online-copy';
import { Replication } from './replication';
import { StopCopy } from './stop-copy';
import { TableWaits } from './table-waits';
import { TenantMover } from './tenant-mover';

/** Moves tenants from one place to another. */
@Module({
  imports: [ConnectionModule, ProvisioningModule, RegistryModule],
  providers: [
    MoveChecks,
    MoveCopy,
    MoveEndings,
    MoveRecords,
    MoveRemains,
    MoveSessions,
    MoveSweeper,
    OnlineChecks,
    OnlineCopy,
    Replication,
    StopCopy,
    TableWaits,
    TenantMover,
  ],
  exports: [MoveSweeper, TenantMover],
})
export class MovesModule {}
