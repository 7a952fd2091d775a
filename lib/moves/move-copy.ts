import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier, type SqlExecutor, sqlStateOf } from '../common/sql';
import { isBesideRegistry } from '../placement/place';
import { SchemaMarks } from '../provisioning/marks/schema-marks';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { TenantRoles } from '../provisioning/roles/tenant-roles';
import { readDataColumns, TYPEORM_METADATA } from '../provisioning/template/template-data';
import { TenantVersions } from '../provisioning/template/tenant-versions';
import { UnfinishedMigrations } from '../provisioning/template/unfinished-migrations';
import { listTables } from '../provisioning/tenant-tables';
import { type Blueprint, compileBlueprint } from '../schema/blueprint';
import { withSearchPath } from '../schema/catalog';
import { replayBlueprint } from '../schema/clone';
import { copyIn, copyOut } from '../transfer/copy-rows';
import { loadCopyStreams } from '../transfer/copy-streams';
import type { ExportedTable } from '../transfer/export-format';
import { readContents, type SchemaContents } from '../transfer/schema-contents';
import { serverVersion } from '../transfer/server-version';
import { differencesBetween } from '../transfer/verify-import';
import { guard, isBeingBuiltIn, putAway, readPositions, setPositions } from './fence';
import { linkName, type Move, moveComment, type MoveProgress, nameOfMoved } from './move';
import { MoveRecords } from './move-records';
import { MoveSessions } from './move-sessions';
import { MoveNotPossibleError } from './moves.errors';
import { requireSameRows } from './same-rows';

/** The logins of the two servers may have different names. */
const COMPARED = { isOwnerLeftOut: true };

/** What is read of the tenant at the old place. */
export interface MoveSource {
  readonly blueprint: Blueprint;
  readonly contents: SchemaContents;
  readonly postgres: number;
  /** Those whose rows are copied. */
  readonly tables: readonly ExportedTable[];
  /** All, quoted and qualified. */
  readonly locked: readonly string[];
}

/** What a move tells of itself on its way. */
export interface MoveTold {
  /** The move has another state. What this throws stops the move, if it can still be stopped. */
  readonly state: (move: Move) => Promise<void>;
  readonly progress: (progress: MoveProgress) => Promise<void>;
  /** How far the new place is behind. */
  readonly lag: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/** What all ways to move have in common: the tenant is made again at the new place, and put away at the old one. */
@Injectable()
export class MoveCopy {
  constructor(
    private readonly sessions: MoveSessions,
    private readonly records: MoveRecords,
    private readonly versions: TenantVersions,
    private readonly unfinished: UnfinishedMigrations,
    private readonly marks: SchemaMarks,
    private readonly roles: TenantRoles,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @param locked its tables, which nobody can change meanwhile */
  async read(manager: EntityManager, schemaName: string, locked: readonly string[]): Promise<MoveSource> {
    // If a policy hides rows from the owner, the copy fails instead of leaving them out.
    await manager.query('SET LOCAL row_security = off');
    const blueprint = await compileBlueprint(manager, schemaName, {
      filled: 'all',
      sharedSchemas: this.options.sharedSchemas,
    });
    const columns = await readDataColumns(manager, schemaName);
    return {
      blueprint,
      contents: await readContents(manager, schemaName, COMPARED),
      postgres: await serverVersion(manager),
      // The rows of this table are structure, and are among the statements.
      tables: columns.filter(({ name }) => name !== TYPEORM_METADATA),
      locked,
    };
  }

  /**
   * Makes the tenant at the new place, with its rows, and verifies it. `rows` is where they are read.
   *
   * @throws MoveNotPossibleError
   */
  async make(
    source: MoveSource,
    move: Move,
    told: MoveTold,
    manager: EntityManager,
    rows: EntityManager = manager,
  ): Promise<void> {
    const { schemaName, tenantId } = move;
    const { blueprint } = source;
    const seen = await this.versions.list(manager, tenantId);
    if ((await this.unfinished.find(manager, { tenantId })).length > 0)
      throw new MoveNotPossibleError('a migration of it is unfinished. Tell its outcome, and move it again.');
    await this.sessions.at(move, move.to, async (target) => {
      await target.query('SET LOCAL lock_timeout = 0');
      const mark = await this.marks.statement(target, schemaName, moveComment(move));
      const marked = {
        ...blueprint,
        statements: [mark, ...blueprint.statements],
        rowsAt: blueprint.rowsAt + 1,
      };
      const counts = new Map<string, number>();
      await replayBlueprint(target, marked, schemaName, async () => {
        for (const [table, count] of await copyAll(source, move, told, { from: rows, to: target }))
          counts.set(table, count);
      }).catch((error: unknown) => {
        throw explainMissing(error, move);
      });
      await setPositions(target, schemaName, await readPositions(manager, schemaName));
      const differences = await differencesBetween(source, target, schemaName, COMPARED);
      for (const [table, count] of counts) {
        const found = await countRows(target, schemaName, table);
        if (found !== count) differences.push(`table ${table} has ${found} rows, and had ${count}`);
      }
      if (move.how === 'stop' && move.verify === 'rows')
        differences.push(...(await requireSameRows(rows, target, schemaName, source.tables)));
      requireNone(differences);
      if (move.from.server !== move.to.server) {
        // It may have lived there before.
        await this.versions.forget(target, tenantId);
        await this.versions.recordSeen(target, tenantId, seen);
      }
      await this.roles.prepare(target, schemaName);
    });
  }

  /**
   * Puts the tenant away at the old place, where nobody can write to its tables. Commits with the caller's transaction: from then
   * on it is not to be found there. The move is `cleaning` where the registry could be changed in the same transaction, else it
   * is `fencing` as before.
   */
  async putAway(source: MoveSource, move: Move, manager: EntityManager): Promise<Move> {
    const { schemaName } = move;
    const positions = await readPositions(manager, schemaName, { areKept: true });
    await this.sessions.at(move, move.to, async (target) => {
      const there = await readPositions(target, schemaName);
      const later = positions.filter((each) => !there.some((other) => isDeepStrictEqual(each, other)));
      await setPositions(target, schemaName, later);
      if (move.how === 'stop') return;
      // What came by replication was not waited for until it is on disk; with this commit it is.
      await target.query('SET LOCAL synchronous_commit = on');
      await this.marks.write(target, schemaName, moveComment(move));
    });
    const isBuilt = await isBeingBuiltIn(manager, schemaName);
    if (
      isBuilt ||
      !isDeepStrictEqual((await listTables(manager, schemaName)).sort(), [...source.locked].sort())
    )
      throw new MoveNotPossibleError(
        'somebody made tables in its schema while it was copied. Move it again.',
      );
    // In the last moment: until the rename is committed, others find the schema.
    await requireUnchanged(source, move, manager);
    const away = nameOfMoved(move);
    await putAway(manager, schemaName, away, await this.marks.statement(manager, away, moveComment(move)));
    await guard(manager, away, await listTables(manager, away));
    // One transaction then changes both.
    if (!isBesideRegistry({ place: move.from })) return move;
    await manager.query(`SET LOCAL lock_timeout = '5s'`);
    return this.records.switch(manager, move, 'fencing');
  }
}

/** How many rows of each table were copied. */
function copyAll(
  { tables }: MoveSource,
  { schemaName }: Move,
  told: MoveTold,
  { from, to }: { readonly from: EntityManager; readonly to: EntityManager },
): Promise<Map<string, number>> {
  const streams = loadCopyStreams();
  return withSearchPath(from, schemaName, async () => {
    const counts = new Map<string, number>();
    for (const [place, table] of tables.entries()) {
      told.signal.throwIfAborted();
      counts.set(table.name, await copyIn(to, streams, table, copyOut(from, streams, table)));
      const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
      await told.progress({ tables: place + 1, ofTables: tables.length, rows });
    }
    return counts;
  });
}

export async function countRows(executor: SqlExecutor, schemaName: string, table: string): Promise<number> {
  const [{ rows }] = (await executor.query(
    `SELECT count(*) AS rows FROM ONLY ${quoteIdentifier(schemaName)}.${quoteIdentifier(table)}`,
  )) as { rows: string }[];
  return Number(rows);
}

/** @throws MoveNotPossibleError */
export function requireNone(differences: readonly string[]): void {
  if (differences.length > 0)
    throw new MoveNotPossibleError(
      `the copy would differ from the tenant:\n${differences.map((each) => `- ${each}`).join('\n')}`,
    );
}

/** Locks keep tables from being changed, but not others from making a table or an index. */
async function requireUnchanged({ contents }: MoveSource, move: Move, manager: EntityManager): Promise<void> {
  // It stays until nothing follows any more: PostgreSQL would complain in its log that it is gone.
  const publicationLeftOut = linkName(move);
  const { fingerprint } = await readContents(manager, move.schemaName, { ...COMPARED, publicationLeftOut });
  if (fingerprint === contents.fingerprint) return;
  throw new MoveNotPossibleError('its structure was changed while it was copied. Move it again.');
}

/** SQLSTATEs of a statement that names what is not there: an object, a function, a schema, a feature. */
const NOT_THERE = new Set(['42704', '42883', '3F000', '0A000', '42P01', '22023']);

function explainMissing(error: unknown, { to }: Move): unknown {
  if (!NOT_THERE.has(sqlStateOf(error) ?? '')) return error;
  const { message } = error as Error;
  return new MoveNotPossibleError(
    `the server "${to.server}" lacks something that the tenant needs: ${message}. Make it there, and move the tenant again.`,
    { cause: error },
  );
}
