import { Injectable } from '@nestjs/common';
import { listTables } from '../provisioning/tenant-tables';
import { stopWrites } from './fence';
import type { Move } from './move';
import { MoveCopy, type MoveTold } from './move-copy';
import { MoveRecords } from './move-records';
import { MoveSessions } from './move-sessions';
import { TableWaits } from './table-waits';

/** Copies a tenant to another place while its writes are stopped, and puts it away at the old one. */
@Injectable()
export class StopCopy {
  constructor(
    private readonly sessions: MoveSessions,
    private readonly records: MoveRecords,
    private readonly copy: MoveCopy,
    private readonly waits: TableWaits,
  ) {}

  /**
   * The move, which was `copying`, as it is when the tenant is put away at the old place, and complete at the new one: `cleaning`
   * where the registry could be changed in the same transaction, else `fencing`.
   */
  run(move: Move, told: MoveTold): Promise<Move> {
    return this.waits.whenFree(move, told.signal, () =>
      this.sessions.at(move, move.from, async (manager) => {
        const tables = await listTables(manager, move.schemaName);
        await stopWrites(manager, tables);
        const source = await this.copy.read(manager, move.schemaName, tables);
        await this.copy.make(source, move, told, manager);
        told.signal.throwIfAborted();
        const fencing = await this.records.advance(move, 'copying', 'fencing');
        await told.state(fencing);
        return this.copy.putAway(source, fencing, manager);
      }),
    );
  }
}
