import { Injectable } from '@nestjs/common';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { TenantDatabases } from '../homes/tenant-databases';
import { DatabaseMarks } from '../marks/database-marks';
import { SPARE_COMMENT } from '../marks/schema-marks';

/**
 * Databases whose making was interrupted. The server's tables have noted each before it was there, and it has its comment only
 * when it is complete. So one that is noted, that nobody is making, and that has no comment is ours and of no use.
 */
@Injectable()
export class UnfinishedDatabases {
  constructor(
    private readonly transactions: SystemTransactions,
    private readonly databases: TenantDatabases,
    private readonly marks: DatabaseMarks,
  ) {}

  /** Drops them, and returns their names. `onFailure` is called for one that could not be dropped. */
  async sweep(server: string, onFailure: (what: string, error: unknown) => void): Promise<string[]> {
    const noted = await this.transactions.run(
      (manager) => manager.query<{ name: string }[]>(`SELECT name FROM ${this.databases.noted} ORDER BY 1`),
      server,
    );
    const dropped: string[] = [];
    for (const { name } of noted) {
      const isDropped = await this.#settle(server, name).catch((error: unknown) => {
        onFailure(`settle the database "${name}"`, error);
        return false;
      });
      if (isDropped) dropped.push(name);
    }
    return dropped;
  }

  /** Whether it was dropped. */
  #settle(server: string, name: string): Promise<boolean> {
    return this.databases.keeping(server, async (keeper) => {
      if (!(await this.databases.tryLock(keeper, name))) return false;
      // It is not in the list of databases yet, and whoever forgot it would never find it.
      if (await this.databases.isBeingCreated(keeper, name)) return false;
      const found = await this.marks.find(keeper, name);
      const isOurs = await this.marks.isOurs(keeper, { schemaName: name, server });
      // A spare is kept up by those who made it.
      if (isOurs && found?.comment?.startsWith(`${SPARE_COMMENT};`) && !found.isBroken) return false;
      const isUnfinished = found !== undefined && (found.owner === null || (isOurs && found.isBroken));
      if (isUnfinished) await this.databases.drop(server, name);
      await this.databases.release(keeper, name);
      return isUnfinished;
    });
  }
}
