import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/connection.options';
import { listTables, lockTables } from '../provisioning/tenant-tables';
import { withSearchPath } from '../schema/catalog';
import { readPositions, stopWrites } from './fence';
import type { Move } from './move';
import { countRows, MoveCopy, type MoveSource, type MoveTold, requireNone } from './move-copy';
import { MoveRecords } from './move-records';
import { MoveSessions } from './move-sessions';
import { MoveNotPossibleError } from './moves.errors';
import { isDoneUpTo, lagOf, markLog, Replication } from './replication';
import { requireSameRows } from './same-rows';
import { TableWaits } from './table-waits';

/** So soon must be done at the new place what is done at the old one, before the tenant's writes are stopped. */
const CLOSE_MS = 300;

/** How long writes wait for the rest of what was written. It is as much as in `CLOSE_MS`, unless much is written just then. */
const LAST_MS = 5_000;

const PAUSE_MS = 500;

/** How often it is told how far the new place is behind. */
const LAG_MS = 2_000;

/** The rows of so much of a tenant are counted while its writes wait, the smallest tables first. */
const COUNTED_BYTES = 512 * 1024 * 1024;

/** Sessions at both places outside of any transaction. */
interface Ends {
  readonly source: EntityManager;
  readonly target: EntityManager;
}

/** Copies a tenant to another place while its writes go on, follows these there, and puts it away at the old one. */
@Injectable()
export class OnlineCopy {
  constructor(
    private readonly sessions: MoveSessions,
    private readonly records: MoveRecords,
    private readonly copy: MoveCopy,
    private readonly replication: Replication,
    private readonly waits: TableWaits,
    @Inject(CONNECTION_OPTIONS) private readonly options: ConnectionOptions,
  ) {}

  /** As `StopCopy.run`. */
  async run(move: Move, told: MoveTold): Promise<Move> {
    const source = await this.#copy(move, told);
    told.signal.throwIfAborted();
    const following = await this.records.advance(move, 'copying', 'following');
    await told.state(following);
    await this.replication.subscribe(following);
    return this.#atBothEnds(following, (ends) => this.#follow(source, following, ends, told));
  }

  /** The rows of one moment, from which on a slot keeps what is written. Meanwhile nobody changes the tables' structure. */
  #copy(move: Move, told: MoveTold): Promise<MoveSource> {
    const { schemaName } = move;
    const waitMs = this.options.moves.catchUpMs;
    return this.sessions.at(move, move.from, async (manager) => {
      const tables = await listTables(manager, schemaName);
      await lockTables(manager, tables);
      // Before the publication, which would be a part of the structure.
      const source = await this.copy.read(manager, schemaName, tables);
      const published = source.tables.map(
        ({ name }) => `${quoteIdentifier(schemaName)}.${quoteIdentifier(name)}`,
      );
      let copied: Promise<void> | undefined;
      await this.replication.publish(
        move,
        published,
        { signal: told.signal, waitMs },
        (snapshot) =>
          new Promise<void>((taken, failed) => {
            copied = this.sessions.look(
              { place: move.from, schemaName },
              async (rows) => {
                taken();
                await rows.query('SET LOCAL row_security = off');
                await this.copy.make(source, move, told, manager, rows);
              },
              snapshot,
            );
            copied.catch(failed);
          }),
      );
      await copied;
      return source;
    });
  }

  #atBothEnds<T>(move: Move, work: (ends: Ends) => Promise<T>): Promise<T> {
    return this.sessions.beside(move, move.from, (source) =>
      this.sessions.beside(move, move.to, (target) => work({ source, target })),
    );
  }

  /** Stops the tenant's writes as soon as that is for a moment only. */
  async #follow(source: MoveSource, move: Move, ends: Ends, told: MoveTold): Promise<Move> {
    const { signal } = told;
    const { catchUpMs } = this.options.moves;
    const until = performance.now() + catchUpMs;
    const meanwhile = tellingLag(move, ends, told);
    for (;;) {
      await meanwhile();
      const ms = Math.max(until - performance.now(), 0);
      const begun = performance.now();
      const lsn = await markLog(ends.source);
      const isDone = await isDoneUpTo(ends.target, move, lsn, { ms, signal, meanwhile });
      if (isDone && performance.now() - begun < CLOSE_MS) {
        const outcome = await this.waits.whenFree(move, signal, () => this.#fence(source, move, ends, told));
        if (outcome) return outcome;
      }
      if (performance.now() > until)
        throw new MoveNotPossibleError(
          `the new place did not catch up within ${catchUpMs} ms with what is written at the old one. Move it when less is ` +
            `written, raise moves.catchUpMs, or move it with how: 'stop'.`,
        );
      await delay(PAUSE_MS, undefined, { signal });
    }
  }

  /** `undefined` when the new place was not as close as it seemed: then nothing has happened. */
  async #fence(source: MoveSource, move: Move, ends: Ends, told: MoveTold): Promise<Move | undefined> {
    const behind = new Error('The new place is behind.');
    try {
      return await this.sessions.at(move, move.from, async (manager) => {
        await stopWrites(manager, source.locked);
        // Who has taken a number and then writes waits for us, and we for him: as long as nothing is fenced, it is tried again.
        await readPositions(manager, move.schemaName, { areKept: true });
        const lsn = await markLog(ends.source);
        if (!(await isDoneUpTo(ends.target, move, lsn, { ms: LAST_MS, signal: told.signal }))) throw behind;
        await this.#verify(source, move, manager, ends.target);
        told.signal.throwIfAborted();
        const fencing = await this.records.advance(move, 'following', 'fencing');
        await told.state(fencing);
        return this.copy.putAway(source, fencing, manager);
      });
    } catch (error) {
      if (error === behind) return undefined;
      throw error;
    }
  }

  /** Structure and sequences are compared, or set, when it is put away. */
  async #verify(
    { tables }: MoveSource,
    { schemaName, verify }: Move,
    source: EntityManager,
    target: EntityManager,
  ): Promise<void> {
    await refreshViews(target, schemaName);
    const differences: string[] = [];
    for (const table of await smallest(source, schemaName, COUNTED_BYTES)) {
      const [before, after] = await Promise.all([
        countRows(source, schemaName, table),
        countRows(target, schemaName, table),
      ]);
      if (before !== after) differences.push(`table ${table} has ${after} rows, and had ${before}`);
    }
    if (verify === 'rows')
      differences.push(
        ...(await target.transaction((there) => requireSameRows(source, there, schemaName, tables))),
      );
    requireNone(differences);
  }
}

/** Tells how far the new place is behind, when it was not told just before. */
function tellingLag(move: Move, { source }: Ends, told: MoveTold): () => Promise<void> {
  let toldAt = -Infinity;
  return async () => {
    if (performance.now() - toldAt < LAG_MS) return;
    toldAt = performance.now();
    await told.lag(await lagOf(source, move));
  };
}

/** Materialized views, in the order in which they were made: none is of a later one. */
async function refreshViews(target: EntityManager, schemaName: string): Promise<void> {
  const views = await target.query<{ name: string }[]>(
    `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind = 'm' AND c.relispopulated ORDER BY c.oid`,
    [schemaName],
  );
  // Functions in their queries find what is the tenant's by its path.
  if (views.length > 0)
    await target.transaction((there) =>
      withSearchPath(there, schemaName, async () => {
        for (const { name } of views) await there.query(`REFRESH MATERIALIZED VIEW ${name}`);
      }),
    );
}

/** The names of the smallest tables, as many as have no more than so many bytes together. */
async function smallest(source: EntityManager, schemaName: string, bytes: number): Promise<string[]> {
  const found = await source.query<{ name: string }[]>(
    `SELECT name FROM (
       SELECT c.relname AS name, sum(pg_catalog.pg_relation_size(c.oid)) OVER (ORDER BY pg_catalog.pg_relation_size(c.oid), c.relname) AS total
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relkind = 'r') t
     WHERE total <= $2 ORDER BY total`,
    [schemaName, bytes],
  );
  return found.map(({ name }) => name);
}
