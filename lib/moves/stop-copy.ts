import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier, sqlStateOf } from '../common/sql';
import { isBesideRegistry } from '../placement/place';
import { Homes } from '../provisioning/homes/homes';
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
import { type CopyStreams, loadCopyStreams } from '../transfer/copy-streams';
import type { ExportedTable } from '../transfer/export-format';
import { readContents, type SchemaContents } from '../transfer/schema-contents';
import { serverVersion } from '../transfer/server-version';
import { differencesBetween } from '../transfer/verify-import';
import { guard, isBeingBuiltIn, putAway, readPositions, setPositions, stopWrites } from './fence';
import { type Move, moveComment, type MoveProgress, nameOfMoved } from './move';
import { MoveRecords } from './move-records';
import { MoveSessions } from './move-sessions';
import { MoveNotPossibleError } from './moves.errors';
import { requireSameRows } from './same-rows';

/** The logins of the two servers may have different names. */
const COMPARED = { isOwnerLeftOut: true };

/** What is read of the tenant at the old place, while nobody writes there. */
interface Source {
  readonly manager: EntityManager;
  readonly blueprint: Blueprint;
  readonly contents: SchemaContents;
  readonly postgres: number;
  readonly tables: readonly ExportedTable[];
  /** All that are locked, quoted and qualified. */
  readonly locked: readonly string[];
}

/** What a move tells of itself on its way. */
export interface MoveTold {
  /** The move has another state. What this throws stops the move, if it can still be stopped. */
  readonly state: (move: Move) => Promise<void>;
  readonly progress: (progress: MoveProgress) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Copies a tenant to another place while its writes are stopped, and puts it away at the old one. */
@Injectable()
export class StopCopy {
  constructor(
    private readonly sessions: MoveSessions,
    private readonly records: MoveRecords,
    private readonly versions: TenantVersions,
    private readonly unfinished: UnfinishedMigrations,
    private readonly marks: SchemaMarks,
    private readonly roles: TenantRoles,
    private readonly homes: Homes,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * The move as it is when the tenant is put away at the old place, and complete at the new one: `cleaning` where the registry
   * could be changed in the same transaction, else `fencing`.
   *
   * @throws 55P03 and 40P01 when the tenant's tables could not be had; nothing is left of it then
   */
  async run(move: Move, told: MoveTold): Promise<Move> {
    const streams = loadCopyStreams();
    return this.sessions.at(move, move.from, async (manager) => {
      const source = await this.#stop(manager, move);
      await this.#copy(source, move, streams, told);
      told.signal.throwIfAborted();
      const fencing = await this.records.advance(move, 'copying', 'fencing');
      await told.state(fencing);
      return this.#fence(source, fencing);
    });
  }

  /** Who holds locks on tables of the tenant at the old place, in words. */
  holders({ from, schemaName }: Move): Promise<string[]> {
    return this.homes.ofIsolation(from.isolation).listHolders({ schemaName, server: from.server });
  }

  async #stop(manager: EntityManager, { schemaName }: Move): Promise<Source> {
    const locked = await listTables(manager, schemaName);
    await stopWrites(manager, locked);
    // If a policy hides rows from the owner, the copy fails instead of leaving them out.
    await manager.query('SET LOCAL row_security = off');
    const blueprint = await compileBlueprint(manager, schemaName, {
      filled: 'all',
      sharedSchemas: this.options.sharedSchemas,
    });
    const columns = await readDataColumns(manager, schemaName);
    return {
      manager,
      blueprint,
      contents: await readContents(manager, schemaName, COMPARED),
      postgres: await serverVersion(manager),
      // The rows of this table are structure, and are among the statements.
      tables: columns.filter(({ name }) => name !== TYPEORM_METADATA),
      locked,
    };
  }

  async #copy(source: Source, move: Move, streams: CopyStreams, told: MoveTold): Promise<void> {
    const { schemaName, tenantId } = move;
    const { blueprint, tables } = source;
    const seen = await this.versions.list(source.manager, tenantId);
    if ((await this.unfinished.find(source.manager, { tenantId })).length > 0)
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
      await replayBlueprint(target, marked, schemaName, () =>
        withSearchPath(source.manager, schemaName, async () => {
          for (const [place, table] of tables.entries()) {
            told.signal.throwIfAborted();
            counts.set(
              table.name,
              await copyIn(target, streams, table, copyOut(source.manager, streams, table)),
            );
            const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
            await told.progress({ tables: place + 1, ofTables: tables.length, rows });
          }
        }),
      ).catch((error: unknown) => {
        throw explainMissing(error, move);
      });
      await setPositions(target, schemaName, await readPositions(source.manager, schemaName));
      await this.#verify(source, target, move, counts);
      if (move.from.server !== move.to.server) {
        // It may have lived there before.
        await this.versions.forget(target, tenantId);
        await this.versions.recordSeen(target, tenantId, seen);
      }
      await this.roles.prepare(target, schemaName);
    });
  }

  async #verify(
    source: Source,
    target: EntityManager,
    move: Move,
    counts: ReadonlyMap<string, number>,
  ): Promise<void> {
    const { schemaName } = move;
    const differences = await differencesBetween(source, target, schemaName, COMPARED);
    for (const [table, count] of counts) {
      const [{ rows }] = await target.query<{ rows: string }[]>(
        `SELECT count(*) AS rows FROM ONLY ${quoteIdentifier(schemaName)}.${quoteIdentifier(table)}`,
      );
      if (Number(rows) !== count) differences.push(`table ${table} has ${rows} rows, and had ${count}`);
    }
    if (move.verify === 'rows')
      differences.push(...(await requireSameRows(source.manager, target, schemaName, source.tables)));
    if (differences.length > 0)
      throw new MoveNotPossibleError(
        `the copy would differ from the tenant:\n${differences.map((each) => `- ${each}`).join('\n')}`,
      );
  }

  /** Commits with the caller's transaction: from then on the tenant is not to be found at the old place. */
  async #fence(source: Source, move: Move): Promise<Move> {
    const { manager, locked } = source;
    const { schemaName } = move;
    const atTarget = await this.sessions.at(move, move.to, (target) => readPositions(target, schemaName));
    const positions = await readPositions(manager, schemaName, { areKept: true });
    const later = positions.filter((each) => !atTarget.some((other) => isDeepStrictEqual(each, other)));
    if (later.length > 0)
      await this.sessions.at(move, move.to, (target) => setPositions(target, schemaName, later));
    const isBuilt = await isBeingBuiltIn(manager, schemaName);
    if (isBuilt || !isDeepStrictEqual((await listTables(manager, schemaName)).sort(), [...locked].sort()))
      throw new MoveNotPossibleError(
        'somebody made tables in its schema while it was copied. Move it again.',
      );
    // In the last moment: until the rename is committed, others find the schema.
    await requireUnchanged(source, schemaName);
    const away = nameOfMoved(move);
    await putAway(manager, schemaName, away, await this.marks.statement(manager, away, moveComment(move)));
    await guard(manager, away, await listTables(manager, away));
    // One transaction then changes both.
    if (!isBesideRegistry({ place: move.from })) return move;
    await manager.query(`SET LOCAL lock_timeout = '5s'`);
    return this.records.switch(manager, move, 'fencing');
  }
}

/** Locks keep tables from being changed, but not others from making a table or an index. */
async function requireUnchanged({ manager, contents }: Source, schemaName: string): Promise<void> {
  const { fingerprint } = await readContents(manager, schemaName, COMPARED);
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
