import { createHash } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { SqlExecutor } from '../../common/sql';
import { quoteIdentifier } from '../../common/sql';
import { DEFAULT_SERVER } from '../../placement/place';
import { DEFAULT_REGISTRY_SCHEMA } from '../../registry/registry-schema';
import { type Blueprint, compileBlueprint } from '../../schema/blueprint';
import { NO_PRINTS, type Prints } from '../../schema/prints';
import { tryBlueprint } from '../../schema/trial';
import { generateSchemaName } from '../../registry/schema-name';
import { checksumOf } from './migration-checksum';
import type { NamedMigration } from './named-migrations';
import { TemplateUnfinishedError } from '../provisioning.errors';
import { TEMPLATE_ID, UnfinishedMigrations } from './unfinished-migrations';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { withRows } from './template-data';
import { TemplatePrints } from './template-prints';

/**
 * "template" in ASCII. Older versions used this key for all registries. The default registry keeps it, so that old and
 * new versions use the same lock during a rolling deployment.
 */
const DEFAULT_TEMPLATE_LOCK = '8387230210669507685';

/** The template at one moment. */
export interface TemplateVersion {
  /** Its DDL, with the rows that every tenant starts with. */
  readonly blueprint: Blueprint;
  /** SHA-256, in hex, of everything in which two clones may differ: migrations, structure, the choice of rows. */
  readonly version: string;
  /** Name of its last migration; `null` when it has none. */
  readonly schemaVersion: string | null;
}

/** The schema that new tenants are cloned from. */
@Injectable()
export class Template {
  readonly schemaName: string;
  readonly #logger = new Logger(Template.name);
  /** Key of the advisory lock on the template: shared by clones, exclusive for its migrator. */
  readonly #lock: string;
  readonly #data: readonly string[];
  readonly #sharedSchemas: readonly string[];
  readonly #prints: TemplatePrints;
  readonly #ledger: string;
  readonly #identity: string;
  /** The query for the names of its migrations. */
  readonly #applied: string;
  /** The further servers on which it was brought up to date. */
  readonly #servers = new Set<string>();
  #warned = '';
  /** The version that was compiled last on each server, and the state for which it was compiled. */
  readonly #compiled = new Map<string, TemplateVersion & { readonly for: string }>();

  constructor(
    private readonly unfinished: UnfinishedMigrations,
    @Inject(PROVISIONING_OPTIONS)
    { templateSchema, templateData, registrySchema, sharedSchemas }: ProvisioningOptions,
  ) {
    this.schemaName = templateSchema;
    this.#lock = lockOf(registrySchema);
    this.#data = templateData;
    this.#sharedSchemas = sharedSchemas;
    this.#prints = new TemplatePrints(registrySchema);
    this.#ledger = `${quoteIdentifier(registrySchema)}.template_migrations`;
    this.#identity = `${quoteIdentifier(registrySchema)}.registry_identity`;
    this.#applied = `SELECT name FROM ${this.#ledger} ORDER BY timestamp, name`;
  }

  /** Whether tenants can be made on that server. Of the registry's own the start sees to it. */
  isReadyOn(server: string): boolean {
    return server === DEFAULT_SERVER || this.#servers.has(server);
  }

  setReadyOn(server: string): void {
    this.#servers.add(server);
  }

  /** Keeps the template unchanged until the caller's transaction ends. */
  async lockShared(transaction: SqlExecutor): Promise<void> {
    await transaction.query('SELECT pg_catalog.pg_advisory_xact_lock_shared($1)', [this.#lock]);
  }

  /** Locks the template against cloning and changes until the caller's transaction ends. */
  async lockExclusive(transaction: SqlExecutor): Promise<void> {
    await transaction.query('SELECT pg_catalog.pg_advisory_xact_lock($1)', [this.#lock]);
  }

  /**
   * The template's compiled DDL. The caller's transaction must hold a lock. `isNew`: make a trial clone again, whatever
   * is known.
   *
   * @throws SchemaNotCloneableError, CloneNotFaithfulError, UnknownTableError, TemplateUnfinishedError
   */
  async current(transaction: SqlExecutor, { isNew = false } = {}): Promise<TemplateVersion> {
    // After an upgrade of the server, the same template may print differently.
    const [{ server, release, applied }] = (await transaction.query(
      `SELECT (SELECT server_id FROM ONLY ${this.#identity}) AS server,
              pg_catalog.current_setting('server_version_num') AS release, ARRAY(${this.#applied}) AS applied`,
    )) as { server: string; release: string; applied: string[] }[];
    const migrations = JSON.stringify(applied);
    const known = this.#compiled.get(server);
    if (known && !isNew && known.for === release + migrations) return known;
    const schemaVersion = applied.at(-1) ?? null;
    const compiled = await this.#compile(transaction, migrations, isNew);
    const current = { for: release + migrations, schemaVersion, ...compiled };
    this.#compiled.set(server, current);
    return current;
  }

  async #compile(
    transaction: SqlExecutor,
    migrations: string,
    isNew: boolean,
  ): Promise<Omit<TemplateVersion, 'schemaVersion'>> {
    const [unfinished] = await this.unfinished.find(transaction, { tenantId: TEMPLATE_ID });
    if (unfinished) throw new TemplateUnfinishedError(unfinished.name, unfinished.error);
    const compiled = await compileBlueprint(transaction, this.schemaName, {
      filled: this.#data,
      sharedSchemas: this.#sharedSchemas,
    });
    this.#warn(compiled.unknown);
    const blueprint = await this.#withPrints(
      transaction,
      await withRows(transaction, compiled, this.#data),
      isNew,
    );
    const parts = JSON.stringify([migrations, blueprint.fingerprint, [...this.#data].sort()]);
    return { blueprint, version: createHash('sha256').update(parts).digest('hex') };
  }

  /** How clones print differently is found by a trial clone, which the first instance makes for all. */
  async #withPrints(transaction: SqlExecutor, blueprint: Blueprint, isNew: boolean): Promise<Blueprint> {
    const kept = isNew ? undefined : await this.#prints.find(transaction, blueprint);
    if (kept) return { ...blueprint, prints: kept };
    const found = await tryBlueprint(transaction, blueprint, generateSchemaName(), (message) =>
      this.#logger.warn(message),
    );
    if (!found) return blueprint;
    await this.#prints.keep(transaction, blueprint, found);
    return { ...blueprint, prints: found };
  }

  /** How tenants may print differently from a template of that structure, as far as it is known. */
  async printsOf(
    executor: SqlExecutor,
    structure: Pick<Blueprint, 'fingerprint' | 'hashQuery'>,
  ): Promise<Prints> {
    return (await this.#prints.find(executor, structure)) ?? NO_PRINTS;
  }

  /** Warns once, however often the template is compiled. */
  #warn(unknown: readonly string[]): void {
    const names = unknown.join(', ');
    if (names === '' || names === this.#warned) return;
    this.#warned = names;
    this.#logger.warn(
      `This PostgreSQL server has properties that this version of nestjs-tenancy does not know: ${names}. Tenants are made ` +
        'without them, and comparisons ignore them. If you set one yourself, look for a newer version.',
    );
  }

  /** Names of the template's migrations, in their order. */
  async appliedMigrations(executor: SqlExecutor): Promise<string[]> {
    const rows = (await executor.query(this.#applied)) as { name: string }[];
    return rows.map(({ name }) => name);
  }

  /** The same, with the checksum that each had when it ran; `null` when none was stored. */
  async appliedChecksums(executor: SqlExecutor): Promise<Map<string, string | null>> {
    const rows = (await executor.query(
      `SELECT name, checksum FROM ${this.#ledger} ORDER BY timestamp, name`,
    )) as { name: string; checksum: string | null }[];
    return new Map(rows.map(({ name, checksum }) => [name, checksum]));
  }

  async recordMigration(
    transaction: SqlExecutor,
    { name, timestamp, migration }: NamedMigration,
  ): Promise<void> {
    await transaction.query(`INSERT INTO ${this.#ledger} (name, timestamp, checksum) VALUES ($1, $2, $3)`, [
      name,
      timestamp,
      checksumOf(migration),
    ]);
  }

  /** Stores the migration's current checksum as the one that ran. Returns whether it was another one. */
  async acknowledge(transaction: SqlExecutor, { name, migration }: NamedMigration): Promise<boolean> {
    const changed = (await transaction.query(
      `WITH changed AS (
         UPDATE ${this.#ledger} SET checksum = $2 WHERE name = $1 AND checksum IS DISTINCT FROM $2 RETURNING name)
       SELECT name FROM changed`,
      [name, checksumOf(migration)],
    )) as unknown[];
    return changed.length === 1;
  }

  async forgetMigration(transaction: SqlExecutor, name: string): Promise<void> {
    await transaction.query(`DELETE FROM ${this.#ledger} WHERE name = $1`, [name]);
  }
}

/** Each registry has a key of its own, so that two applications in one database do not wait for each other. */
function lockOf(registrySchema: string): string {
  if (registrySchema === DEFAULT_REGISTRY_SCHEMA) return DEFAULT_TEMPLATE_LOCK;
  const digest = createHash('sha256').update(`template of ${registrySchema}`).digest();
  return String(digest.readBigInt64BE());
}
