import { PassThrough, Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { checkArguments } from '../common/options/check-options';
import { abortSignal, anything, callback, texts } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { readDataColumns, TYPEORM_METADATA } from '../provisioning/template/template-data';
import { listTables, lockTables } from '../provisioning/tenant-tables';
import { OpenMoves } from '../provisioning/open-moves';
import { TenantVersions } from '../provisioning/template/tenant-versions';
import { compileBlueprint } from '../schema/blueprint';
import { withSearchPath } from '../schema/catalog';
import { siteOf } from '../placement/place';
import { EventRecorder } from '../registry/events/event-recorder';
import type { Tenant } from '../registry/tenant';
import { InvalidTransitionError, TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { itemsOut } from './copy-items';
import { copyOut } from './copy-rows';
import { type CopyStreams, loadCopyStreams } from './copy-streams';
import { checkKey, type ExportHeader } from './export-format';
import { ExportWriter } from './export-writer';
import { readContents } from './schema-contents';
import { SealedEnvelope } from './sealed-envelope';
import { serverVersion } from './server-version';
import { type ItemCount, requireKnown, TransferHooks } from './transfer-hooks';

export class ExportOptions {
  /**
   * Seals the export: at least 32 characters. Only someone with the key can make a file that an import with this key
   * accepts. Default: a checksum.
   */
  @Option(anything<string>())
  readonly key?: string;

  /** What is left out of all that modules keep outside of PostgreSQL: `['files']`. Default: nothing. */
  @Option(texts('give a list of names, such as files'))
  readonly without?: readonly string[];

  /** Stops the export. What was written by then is not a valid export. */
  @Option(abortSignal())
  readonly signal?: AbortSignal;

  /** Called after each table, and after the items of each module, for a progress bar. */
  @Option(callback<(finished: number, total: number) => void>('give a function'))
  readonly onProgress?: (finished: number, total: number) => void;
}

/** What was exported. */
export interface ExportReport {
  readonly tenant: string;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
  /** The sum over all tables. */
  readonly rows: number;
  /** What modules keep outside of PostgreSQL, by name, such as `files`. */
  readonly items: Readonly<Record<string, ItemCount>>;
}

/** What is written and how far that is. */
interface ExportWork {
  readonly tenant: Tenant;
  readonly streams: CopyStreams;
  readonly options: ExportOptions;
  readonly writer: ExportWriter;
  /** The names of the items that follow the rows. */
  readonly names: readonly string[];
  /** Filled in while the tables are read. */
  readonly rows: Record<string, number>;
  readonly items: Record<string, ItemCount>;
}

/**
 * Writes a tenant (its row in the registry, its schema, its rows, and what modules with `@OnTransfer()` keep of it) as one
 * stream, to be imported here or elsewhere.
 */
@Injectable()
export class TenantExport {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly versions: TenantVersions,
    private readonly moves: OpenMoves,
    private readonly hooks: TransferHooks,
    private readonly recorder: EventRecorder,
  ) {}

  /**
   * Exports the tenant as of one moment, while it remains in use, whatever its status; what modules keep outside of
   * PostgreSQL is read after that. `destination` is ended when everything is written, and destroyed when the export fails.
   * Memory does not grow with the number of rows. docs/cli.md describes the format.
   *
   * @throws TenantNotFoundError when there is no such tenant
   * @throws InvalidTransitionError while it is still being created
   * @throws MoveUnderWayError while it is being moved
   * @throws SchemaNotCloneableError when its schema holds objects that cannot be exported
   * @throws PackageMissingError when `pg-copy-streams` is not installed
   * @throws RangeError when the key is too short
   * @throws ValidationFailedError when `without` names something that no module keeps
   * @throws what a module's `exportItems()` throws
   */
  async export(reference: string, destination: Writable, given: ExportOptions = {}): Promise<ExportReport> {
    const options = checkArguments('TenantExport.export()', ExportOptions, given);
    checkKey(options.key);
    const streams = loadCopyStreams();
    const tenant = await this.#find(reference);
    const { names } = this.hooks;
    const { without = [] } = options;
    requireKnown(without, names);
    const work: ExportWork = {
      ...{ tenant, streams, options, rows: {}, items: {} },
      writer: new ExportWriter(),
      names: names.filter((name) => !without.includes(name)),
    };
    await this.moves.overtaken(tenant, 'be exported', () =>
      this.context.runAsSystem(() => this.#write(work, destination), siteOf(tenant)),
    );
    const { rows, items } = work;
    const sum = Object.values(rows).reduce((all, count) => all + count, 0);
    await this.recorder.tell({ tenantId: tenant.id, type: 'tenant.exported', data: { rows: sum, items } });
    return { tenant: tenant.slug, tables: rows, rows: sum, items };
  }

  async #write(work: ExportWork, destination: Writable): Promise<void> {
    const { key, signal } = work.options;
    const source = new PassThrough();
    const written = pipeline(
      [source, createGzip(), ...(key === undefined ? [] : [new SealedEnvelope(key)]), destination],
      { signal },
    );
    // It is awaited below, perhaps long after it has failed.
    written.catch(() => undefined);
    try {
      await this.#writeRows(work, source);
      // By now no transaction holds up migrations while files are read.
      await pipeline(Readable.from(this.#items(work), { objectMode: false }), source);
    } catch (error) {
      source.destroy(error as Error);
      // When the destination has failed, all before it fails for that reason.
      await written;
      throw error;
    }
    await written;
  }

  async #writeRows(work: ExportWork, source: PassThrough): Promise<void> {
    const { tenant, names } = work;
    const { schemaName } = tenant;
    const tables = await this.transactions.run((manager) => listTables(manager, schemaName));
    await this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      // This takes no snapshot, unlike the statements that follow.
      await lockTables(manager, tables);
      // If a policy hides rows from the owner, this makes the export fail instead of leaving them out.
      await manager.query('SET LOCAL row_security = off');
      const header = await this.#header(manager, tenant, names);
      // `withSearchPath` also sets the parameters that decide how values are printed.
      await withSearchPath(manager, schemaName, () =>
        pipeline(Readable.from(rowsOf(work, manager, header), { objectMode: false }), source, { end: false }),
      );
    });
  }

  async *#items({ tenant, names, writer, rows, items, options }: ExportWork): AsyncGenerator<Buffer> {
    const tables = Object.keys(rows).length;
    for (const [place, name] of names.entries()) {
      items[name] = yield* itemsOut(writer, this.hooks.find(name)!, tenant);
      options.onProgress?.(tables + place + 1, tables + names.length);
    }
    // A purge that began meanwhile has removed some of them, which nobody would miss in the export.
    if (names.length > 0 && !(await this.store.find({ by: 'id', value: tenant.id })))
      throw new TenantNotFoundError();
    yield writer.json('Z', { tables });
    yield writer.seal();
  }

  async #find(reference: string): Promise<Tenant> {
    const tenant = await this.store.find({ by: isUuid(reference) ? 'id' : 'slug', value: reference });
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status === 'provisioning')
      throw new InvalidTransitionError(tenant.slug, tenant.status, 'export');
    await this.moves.requireNone(tenant, 'be exported');
    return tenant;
  }

  async #header(manager: EntityManager, tenant: Tenant, names: readonly string[]): Promise<ExportHeader> {
    const { statements, rowsAt } = await compileBlueprint(manager, tenant.schemaName, {
      filled: 'all',
    });
    const { id, slug, name, status, statusReason, domains, metadata } = tenant;
    const columns = await readDataColumns(manager, tenant.schemaName);
    return {
      seal: 'sha256',
      exportedAt: new Date().toISOString(),
      postgres: await serverVersion(manager),
      tenant: { id, slug, name, status, statusReason, domains, metadata },
      migrations: await this.versions.list(manager, id),
      ...(await readContents(manager, tenant.schemaName)),
      statements,
      rowsAt,
      // The rows of this table are structure, and are among the statements.
      tables: columns.filter((table) => table.name !== TYPEORM_METADATA),
      ...(names.length > 0 && { items: names }),
    };
  }
}

async function* rowsOf(
  { writer, streams, rows, names, options }: ExportWork,
  manager: EntityManager,
  header: ExportHeader,
): AsyncGenerator<Buffer> {
  const { tables } = header;
  yield writer.begin({ hasItems: names.length > 0 });
  yield writer.json('H', header);
  yield writer.seal();
  for (const [place, table] of tables.entries()) {
    yield writer.json('T', { name: table.name });
    rows[table.name] = yield* writer.pieces(copyOut(manager, streams, table));
    yield writer.json('E', { rows: rows[table.name] });
    options.onProgress?.(place + 1, tables.length + names.length);
  }
}
