import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { checkArguments } from '../common/options/check-options';
import { abortSignal, anything, callback, flag, isPlainObject, kind, texts } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { uuidV7 } from '../common/uuid-v7';
import { proveDomains } from '../provisioning/domains/domain-proof';
import { PlaceChooser, placeRequest, type PlaceRequest } from '../provisioning/place-chooser';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { IMPORT_COMMENT, SchemaMarks } from '../provisioning/marks/schema-marks';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { TenantContext } from '../context/tenant-context';
import { Template } from '../provisioning/template/template';
import { ActorAndReason, checkActorAndReason, checkNewTenant } from '../provisioning/tenant-input';
import { TemplateMigrator } from '../provisioning/template-migrator';
import type { Draft } from '../provisioning/homes/tenant-home';
import { TenantMaker } from '../provisioning/tenant-maker';
import { replayBlueprint } from '../schema/clone';
import { generateSchemaName } from '../registry/schema-name';
import type { Tenant } from '../registry/tenant';
import { itemsIn } from './copy-items';
import { copyIn } from './copy-rows';
import { type CopyStreams, loadCopyStreams } from './copy-streams';
import { checkKey, type ExportHeader } from './export-format';
import { ExportReader } from './export-reader';
import type { ImportLimits } from './import-limits';
import { majorOf, serverVersion } from './server-version';
import { ExportFileError } from './transfer.errors';
import { type ItemCount, requireKnown, TransferHooks } from './transfer-hooks';
import { type Verification, verifyImport } from './verify-import';

export class ImportOptions extends ActorAndReason {
  /** Default: the slug in the export. */
  @Option(anything<string>())
  readonly slug?: string;

  /** Default: the name in the export. */
  @Option(anything<string>())
  readonly name?: string;

  /**
   * Whether the new tenant gets the domains in the export. Default false, because the exported tenant may still have
   * them.
   */
  @Option(flag())
  readonly domains?: boolean;

  /**
   * Whether the new tenant gets the id in the export. Default false: a new id. An id that was ever used here is
   * refused.
   */
  @Option(flag())
  readonly keepId?: boolean;

  /** Where the tenant is to live. Default: as the option `placement` says. */
  @Option(placeRequest())
  readonly place?: PlaceRequest;

  /** The key with which the export was sealed. An export without a seal of this key is refused. */
  @Option(anything<string>())
  readonly key?: string;

  /** What is left out of the items of modules in the export: `['files']`. Default: nothing. */
  @Option(texts('give a list of names, such as files'))
  readonly without?: readonly string[];

  /** How much of the file is accepted. */
  @Option(kind<ImportLimits>('give an object', isPlainObject))
  readonly limits?: ImportLimits;

  /** Stops the import; nothing is kept. */
  @Option(abortSignal())
  readonly signal?: AbortSignal;

  /** Called after each table, and after the items of each module, for a progress bar. */
  @Option(callback<(finished: number, total: number) => void>('give a function'))
  readonly onProgress?: (finished: number, total: number) => void;
}

/** What was imported. */
export interface ImportReport {
  readonly tenant: Tenant;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
  /** The sum over all tables. */
  readonly rows: number;
  /** What modules keep outside of PostgreSQL, by name, such as `files`. */
  readonly items: Readonly<Record<string, ItemCount>>;
  readonly verification: Verification;
}

/** Makes a tenant from an export, in one transaction: completely or not at all. */
@Injectable()
export class TenantImport {
  constructor(
    private readonly maker: TenantMaker,
    private readonly transactions: SystemTransactions,
    private readonly template: Template,
    private readonly marks: SchemaMarks,
    private readonly places: PlaceChooser,
    private readonly templates: TemplateMigrator,
    private readonly context: TenantContext,
    private readonly hooks: TransferHooks,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * Returns the new tenant: active, or suspended if the exported one was not active. An export contains DDL, which is
   * code. Do not import a file from someone whom you would not let write your migrations, unless it is sealed with your
   * `key`.
   *
   * @throws ExportFileError when the file is not an export, was cut off or changed, is not sealed with the key,
   * exceeds `limits`, or has items that no module here takes, unless they are left out
   * @throws ImportNotFaithfulError when the result differs from the export
   * @throws PackageMissingError when `pg-copy-streams` is not installed
   * @throws what a module's `importItems()` throws, and the errors of `TenantProvisioner.create()`
   */
  async import(source: Readable, given: ImportOptions = {}): Promise<ImportReport> {
    const options = checkArguments('TenantImport.import()', ImportOptions, given);
    checkKey(options.key);
    checkActorAndReason(options);
    const streams = loadCopyStreams();
    const reader = new ExportReader(source, options);
    try {
      const header = await reader.header();
      this.#requireTaken(header, options);
      const draft = await this.#draft(header, options);
      const { server } = draft.place;
      await this.templates.prepare(server);
      await this.#requireVersion(header, server);
      const { sharedSchemas } = this.options;
      const outcome: Outcome = { rows: {}, items: {} };
      const { schemaName } = draft;
      const plan = async (manager: EntityManager) => {
        const mark = await this.marks.statement(manager, schemaName, IMPORT_COMMENT);
        return {
          schemaName,
          templateVersion: await this.#templateVersion(header, server),
          schemaVersion: header.migrations.at(-1)?.name ?? null,
          fill: async (home: EntityManager, born: Tenant) => {
            const from = { header, reader, streams, options, mark, sharedSchemas };
            outcome.rows = await fill(home, from, schemaName);
            outcome.verification = await verifyImport(home, header, draft);
            outcome.items = await this.#takeItems(home, from, born);
            await reader.end();
            options.signal?.throwIfAborted();
          },
        };
      };
      const { actor, reason } = options;
      const tenant = await this.maker.make(draft, plan, {
        ...{ actor, reason, origin: 'import', seen: header.migrations },
        status: header.tenant.status === 'active' ? 'active' : 'suspended',
      });
      const rows = Object.values(outcome.rows).reduce((sum, count) => sum + count, 0);
      return {
        tenant,
        tables: outcome.rows,
        rows,
        items: outcome.items,
        verification: outcome.verification!,
      };
    } finally {
      reader.close();
    }
  }

  async #takeItems(
    home: EntityManager,
    { header, reader, options }: ImportSource,
    born: Tenant,
  ): Promise<Record<string, ItemCount>> {
    const { items: names = [], tables } = header;
    const { without = [], onProgress } = options;
    const taken: Record<string, ItemCount> = {};
    // While many files come, nothing is sent to PostgreSQL.
    if (names.length > 0) await home.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    for (const [place, name] of names.entries()) {
      const hook = without.includes(name) ? undefined : this.hooks.find(name);
      const count = await this.context.runAsSystem(() => itemsIn(reader, name, born, hook));
      if (hook) taken[name] = count;
      onProgress?.(tables.length + place + 1, tables.length + names.length);
    }
    return taken;
  }

  /** What an export says of a tenant is never dropped in silence. @throws ExportFileError, ValidationFailedError */
  #requireTaken({ items = [] }: ExportHeader, { without = [] }: ImportOptions): void {
    requireKnown(without, [...items, ...this.hooks.names]);
    const homeless = items.find((name) => !without.includes(name) && !this.hooks.find(name));
    if (homeless === undefined) return;
    throw new ExportFileError(
      `it has "${homeless}" of the tenant in it, which no module of this application takes. Import the module that keeps ` +
        `such, or leave them out: without: ['${homeless}'], on the command line --without ${homeless}.`,
    );
  }

  async #draft(
    { tenant }: ExportHeader,
    { slug, name, domains = false, keepId = false, place: asked }: ImportOptions,
  ): Promise<Draft> {
    const { reservedSlugs, wildcardDomains, domainProof } = this.options;
    const wanted = checkNewTenant(
      {
        slug: slug ?? tenant.slug,
        name: name ?? tenant.name,
        metadata: tenant.metadata,
        domains: domains ? tenant.domains : [],
      },
      reservedSlugs,
      wildcardDomains,
    );
    const id = keepId ? checkId(tenant.id) : uuidV7();
    const place = this.places.choose({ ...wanted, id }, asked);
    const draft = { ...wanted, id, schemaName: generateSchemaName(), place };
    await proveDomains(domainProof, draft, { isIdChosen: keepId });
    return draft;
  }

  /** An older server does not understand all statements of a newer one. */
  async #requireVersion({ postgres }: ExportHeader, server: string): Promise<void> {
    const here = majorOf(await this.transactions.run(serverVersion, server));
    const there = majorOf(postgres);
    if (there <= here) return;
    throw new ExportFileError(
      `it comes from PostgreSQL ${there}, but this server is ${here}. Import it into ${there} or newer.`,
    );
  }

  /** The template's version, if the tenant's structure equals that of the template here. */
  async #templateVersion({ fingerprint }: ExportHeader, server: string): Promise<string | null> {
    const { blueprint } = await this.transactions.run(async (manager) => {
      await this.template.lockShared(manager);
      return this.template.current(manager);
    }, server);
    return blueprint.fingerprint === fingerprint ? fingerprint : null;
  }
}

/** What has come so far. */
interface Outcome {
  rows: Readonly<Record<string, number>>;
  items: Readonly<Record<string, ItemCount>>;
  verification?: Verification;
}

interface ImportSource {
  readonly header: ExportHeader;
  readonly reader: ExportReader;
  readonly streams: CopyStreams;
  readonly options: ImportOptions;
  readonly sharedSchemas: readonly string[];
  /** The mark of the schema. It is written first, so that the schema can be dropped if the export's DDL commits. */
  readonly mark: string;
}

/** Makes the schema with its rows, and returns the number of rows of each table. */
async function fill(
  manager: EntityManager,
  { header, reader, streams, options, sharedSchemas, mark }: ImportSource,
  schemaName: string,
): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  const { tables, statements, rowsAt, items = [] } = header;
  const marked = { statements: [mark, ...statements], rowsAt: rowsAt + 1, sharedSchemas };
  const transaction = await transactionId(manager);
  await replayBlueprint(manager, marked, schemaName, async () => {
    for (const [place, table] of tables.entries()) {
      rows[table.name] = await copyIn(manager, streams, table, reader.rows(table.name));
      options.onProgress?.(place + 1, tables.length + items.length);
    }
  });
  if ((await transactionId(manager)) === transaction) return rows;
  throw new ExportFileError('its DDL ends the transaction in which it is run.');
}

async function transactionId(manager: EntityManager): Promise<string> {
  const [{ id }] = await manager.query<{ id: string }[]>('SELECT pg_catalog.txid_current() AS id');
  return id;
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function checkId(id: string): string {
  if (UUID_V7.test(id)) return id;
  throw new ExportFileError('its id is not a UUID of version 7.');
}
