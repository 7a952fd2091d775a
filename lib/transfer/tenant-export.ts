import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { checkArguments } from '../common/options/check-options';
import { abortSignal, anything, callback } from '../common/options/kinds';
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
import type { Tenant } from '../registry/tenant';
import { InvalidTransitionError, TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { copyOut } from './copy-rows';
import { type CopyStreams, loadCopyStreams } from './copy-streams';
import { checkKey, type ExportHeader } from './export-format';
import { ExportWriter } from './export-writer';
import { readContents } from './schema-contents';
import { SealedEnvelope } from './sealed-envelope';
import { serverVersion } from './server-version';

export class ExportOptions {
  /**
   * Seals the export: at least 32 characters. Only someone with the key can make a file that an import with this key
   * accepts. Default: a checksum.
   */
  @Option(anything<string>())
  readonly key?: string;

  /** Stops the export. What was written by then is not a valid export. */
  @Option(abortSignal())
  readonly signal?: AbortSignal;

  /** Called after each table, for a progress bar. */
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
}

/** What an export reads from, in a transaction of its own. */
interface ExportSource {
  readonly manager: EntityManager;
  readonly streams: CopyStreams;
  readonly header: ExportHeader;
  /** Filled in while the tables are read. */
  readonly rows: Record<string, number>;
}

/** Writes a tenant (its row in the registry, its schema, its rows) as one stream, to be imported here or elsewhere. */
@Injectable()
export class TenantExport {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly versions: TenantVersions,
    private readonly moves: OpenMoves,
  ) {}

  /**
   * Exports the tenant as of one moment, while it remains in use, whatever its status. `destination` is ended when
   * everything is written, and destroyed when the export fails. Memory does not grow with the number of rows.
   * docs/cli.md describes the format.
   *
   * @throws TenantNotFoundError when there is no such tenant
   * @throws InvalidTransitionError while it is still being created
   * @throws MoveUnderWayError while it is being moved
   * @throws SchemaNotCloneableError when its schema holds objects that cannot be exported
   * @throws PackageMissingError when `pg-copy-streams` is not installed
   * @throws RangeError when the key is too short
   */
  async export(reference: string, destination: Writable, given: ExportOptions = {}): Promise<ExportReport> {
    const options = checkArguments('TenantExport.export()', ExportOptions, given);
    checkKey(options.key);
    const streams = loadCopyStreams();
    const tenant = await this.#find(reference);
    const { schemaName } = tenant;
    const site = siteOf(tenant);
    const work = async () => {
      const tables = await this.transactions.run((manager) => listTables(manager, schemaName));
      return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
        // This takes no snapshot, unlike the statements that follow.
        await lockTables(manager, tables);
        // If a policy hides rows from the owner, this makes the export fail instead of leaving them out.
        await manager.query('SET LOCAL row_security = off');
        const header = await this.#header(manager, tenant);
        const source: ExportSource = { manager, streams, header, rows: {} };
        const { signal } = options;
        // `withSearchPath` also sets the parameters that decide how values are printed.
        await withSearchPath(manager, schemaName, () =>
          pipeline(
            [
              Readable.from(sections(source, options), { objectMode: false }),
              createGzip(),
              ...(options.key === undefined ? [] : [new SealedEnvelope(options.key)]),
              destination,
            ],
            { signal },
          ),
        );
        const counts = Object.values(source.rows);
        return {
          tenant: tenant.slug,
          tables: source.rows,
          rows: counts.reduce((sum, count) => sum + count, 0),
        };
      });
    };
    return this.moves.overtaken(tenant, 'be exported', () => this.context.runAsSystem(work, site));
  }

  async #find(reference: string): Promise<Tenant> {
    const tenant = await this.store.find({ by: isUuid(reference) ? 'id' : 'slug', value: reference });
    if (!tenant) throw new TenantNotFoundError();
    if (tenant.status === 'provisioning')
      throw new InvalidTransitionError(tenant.slug, tenant.status, 'export');
    await this.moves.requireNone(tenant, 'be exported');
    return tenant;
  }

  async #header(manager: EntityManager, tenant: Tenant): Promise<ExportHeader> {
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
    };
  }
}

async function* sections(
  { manager, streams, header, rows }: ExportSource,
  { onProgress }: ExportOptions,
): AsyncGenerator<Buffer> {
  const { tables } = header;
  const writer = new ExportWriter();
  yield writer.begin();
  yield writer.json('H', header);
  yield writer.seal();
  for (const [place, table] of tables.entries()) {
    yield writer.json('T', { name: table.name });
    rows[table.name] = yield* writer.pieces(copyOut(manager, streams, table));
    yield writer.json('E', { rows: rows[table.name] });
    onProgress?.(place + 1, tables.length);
  }
  yield writer.json('Z', { tables: tables.length });
  yield writer.seal();
}
