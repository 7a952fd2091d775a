import { Injectable } from '@nestjs/common';
import { isSamePlace, type Place, placeOf, siteOf } from '../placement/place';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { findOutsideDependents } from '../provisioning/marks/schema-dependents';
import { SchemaDrop } from '../provisioning/marks/schema-drop';
import { TenantVersions } from '../provisioning/template/tenant-versions';
import type { Tenant } from '../registry/tenant';
import { TenantStore } from '../registry/store/tenant.store';
import { purposeOf } from './fence';
import { type Move, moveComment, nameOfMoved } from './move';
import { MoveRecords } from './move-records';
import { MoveSessions } from './move-sessions';
import { MoveNotPossibleError } from './moves.errors';
import { Replication } from './replication';

/** What moves leave: the tenant as it was at the old place, and after a failure the unfinished copy at the new one. */
@Injectable()
export class MoveRemains {
  constructor(
    private readonly records: MoveRecords,
    private readonly sessions: MoveSessions,
    private readonly transactions: SystemTransactions,
    private readonly schemaDrop: SchemaDrop,
    private readonly versions: TenantVersions,
    private readonly replication: Replication,
    private readonly store: TenantStore,
  ) {}

  /** Takes away what lets the rows of one place reach the other. A slot that is left keeps the log until the disk is full. */
  async unlink(move: Move): Promise<void> {
    await this.replication.drop(move);
    await this.records.noteUnlinked(move);
  }

  /** Drops in parts what a move has left. Only a schema that says that it is this move's is touched. */
  async drop(move: Move): Promise<void> {
    const place = placeOfRemains(move);
    const name = move.state === 'failed' ? move.schemaName : nameOfMoved(move);
    if (move.how === 'online' && move.state === 'failed') await this.unlink(move);
    for (let isGone = false; !isGone;) {
      isGone = await this.sessions.alone(move, place, async (manager) => {
        if ((await purposeOf(manager, name)) !== moveComment(move)) return true;
        // DROP … CASCADE would drop them silently.
        const dependents = await findOutsideDependents(manager, name);
        if (dependents.length > 0)
          throw new MoveNotPossibleError(
            `${dependents.join(', ')} would be dropped with the schema "${name}", which a move has left on the server ` +
              `"${place.server}", but lie outside of it. Drop or change them first.`,
          );
        return (await this.schemaDrop.dropNextPart(manager, name)).isLast;
      });
    }
    await this.#forgetVersions(move, place);
    await this.records.noteDropped(move);
  }

  /** Drops what earlier moves have left where it would be in the way of a move from one place to the other. */
  async clearWay(tenant: Tenant, to: Place): Promise<void> {
    for (const move of await this.records.listOf(tenant.id)) {
      if (!move.finishedAt || move.droppedAt) continue;
      const isInTheWay = isSamePlace(placeOfRemains(move), move.state === 'failed' ? to : placeOf(tenant));
      if (isInTheWay) await this.drop(move);
    }
  }

  /** Which migrations it has seen there is of no use any more, unless it has come back. */
  async #forgetVersions({ tenantId, schemaName }: Move, place: Place): Promise<void> {
    const tenant = await this.store.find({ by: 'id', value: tenantId });
    if (tenant && placeOf(tenant).server === place.server) return;
    await this.transactions.run(
      (manager) => this.versions.forget(manager, tenantId),
      siteOf({ place: { ...place, isolation: 'schema' }, schemaName }),
    );
  }
}

function placeOfRemains({ state, from, to }: Move): Place {
  return state === 'failed' ? to : from;
}
