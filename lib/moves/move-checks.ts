import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { SqlExecutor } from '../common/sql';
import { Servers } from '../connection/servers/servers';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { DEFAULT_SERVER, isSamePlace, type Place, placeOf, siteOf } from '../placement/place';
import { findOutsideDependents } from '../provisioning/marks/schema-dependents';
import { PlaceChooser, type PlaceRequest } from '../provisioning/place-chooser';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { Template } from '../provisioning/template/template';
import { TenantVersions } from '../provisioning/template/tenant-versions';
import { UnfinishedMigrations } from '../provisioning/template/unfinished-migrations';
import { TemplateMigrator } from '../provisioning/template-migrator';
import type { Tenant } from '../registry/tenant';
import { InvalidTransitionError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import { loadCopyStreams } from '../transfer/copy-streams';
import { majorOf, serverVersion } from '../transfer/server-version';
import type { MoveHow } from './move';
import { MoveNotPossibleError } from './moves.errors';
import { OnlineChecks } from './online-checks';

/** What a tenant needs of its server. */
interface Needs {
  readonly major: number;
  readonly extensions: readonly string[];
  readonly collations: readonly string[];
  readonly migrations: readonly string[];
  /** Those of which nobody knows how much has run. */
  readonly unfinished: readonly string[];
  /** What lies outside of its schema and depends on it. It would show the rows of before, and be dropped with them. */
  readonly dependents: readonly string[];
  /**
   * Its tables of which a shared schema has one by the same name: what waits for the lock is looked for anew after the move, and
   * would be found there.
   */
  readonly shadowed: readonly string[];
}

/** Where a tenant is to live, and how it moves there. */
interface Checked {
  readonly to: Place;
  readonly how: MoveHow;
  /** Why it is not online, when it was not asked to be stopped. */
  readonly fallback?: string;
}

/** Says before anything is copied why a tenant cannot move. */
@Injectable()
export class MoveChecks {
  constructor(
    private readonly store: TenantStore,
    private readonly servers: Servers,
    private readonly transactions: SystemTransactions,
    private readonly places: PlaceChooser,
    private readonly templates: TemplateMigrator,
    private readonly template: Template,
    private readonly versions: TenantVersions,
    private readonly unfinished: UnfinishedMigrations,
    private readonly online: OnlineChecks,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * The place in full, when the tenant can move there, and how. What was left out stays as it is.
   *
   * @param how default online where that is possible
   * @throws MoveNotPossibleError, PlaceNotPossibleError, InvalidTransitionError, PackageMissingError, what `Servers.check()` throws
   */
  async check(tenant: Tenant, asked: PlaceRequest, how?: MoveHow): Promise<Checked> {
    if (!(this.store instanceof TypeOrmTenantStore))
      throw new MoveNotPossibleError(
        'The tenants are kept in a store of the application, which cannot change the place of one.',
      );
    if (tenant.status === 'provisioning')
      throw new InvalidTransitionError(tenant.slug, tenant.status, 'move');
    const from = placeOf(tenant);
    const to = this.places.choose(tenant, { ...from, ...asked });
    if (isSamePlace(from, to))
      throw new MoveNotPossibleError(`The tenant "${tenant.slug}" lives there already.`);
    if (from.isolation !== 'schema' || to.isolation !== 'schema')
      throw new MoveNotPossibleError(
        `The tenant "${tenant.slug}" cannot move: into and out of a database of its own no tenant moves yet.`,
      );
    loadCopyStreams();
    for (const { server } of [from, to]) if (server !== DEFAULT_SERVER) await this.servers.check(server);
    await this.templates.prepare(to.server);
    const needs = await this.transactions.run((manager) => this.#needsOf(manager, tenant), siteOf(tenant));
    // A database of its own is made of what the server has.
    const obstacles = await this.transactions.run(
      (manager) => this.#obstacles(manager, needs, to),
      to.server,
    );
    if (obstacles.length === 0) return { to, ...(await this.#wayOf(tenant, from, to, how)) };
    throw new MoveNotPossibleError(
      `The tenant "${tenant.slug}" cannot move to the server "${to.server}":\n${obstacles.map((each) => `- ${each}`).join('\n')}`,
    );
  }

  async #wayOf(
    tenant: Tenant,
    from: Place,
    to: Place,
    how: MoveHow | undefined,
  ): Promise<Pick<Checked, 'how' | 'fallback'>> {
    if (how === 'stop') return { how };
    const obstacles = await this.online.obstacles(tenant, from, to);
    if (obstacles.length === 0) return { how: 'online' };
    if (how === undefined) return { how: 'stop', fallback: obstacles.join('; ') };
    throw new MoveNotPossibleError(
      `The tenant "${tenant.slug}" cannot move to the server "${to.server}" while its writes go on:\n` +
        obstacles.map((each) => `- ${each}`).join('\n'),
    );
  }

  async #needsOf(manager: EntityManager, { id, schemaName }: Tenant): Promise<Needs> {
    return {
      major: majorOf(await serverVersion(manager)),
      extensions: await names(manager, EXTENSIONS_OF_SCHEMA, [schemaName]),
      collations: await names(manager, COLLATIONS_OF_SCHEMA, [schemaName]),
      migrations: (await this.versions.list(manager, id)).map(({ name }) => name),
      unfinished: (await this.unfinished.find(manager, { tenantId: id })).map(({ name }) => name),
      dependents: await findOutsideDependents(manager, schemaName),
      shadowed: await names(manager, SHADOWED, [schemaName, this.options.sharedSchemas]),
    };
  }

  async #obstacles(manager: EntityManager, needs: Needs, { server }: Place): Promise<string[]> {
    const major = majorOf(await serverVersion(manager));
    const extensions = await names(manager, 'SELECT extname AS name FROM pg_catalog.pg_extension', []);
    const collations = await names(
      manager,
      `SELECT collname AS name FROM pg_catalog.pg_collation
       WHERE collencoding IN (-1, (SELECT encoding FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))`,
      [],
    );
    const seen = await this.template.appliedMigrations(manager);
    const lacking = (wanted: readonly string[], there: readonly string[]) =>
      wanted.filter((each) => !there.includes(each));
    return [
      ...(major < needs.major
        ? [`it is PostgreSQL ${major}, and the tenant lives on ${needs.major}. Upgrade it.`]
        : []),
      ...lacking(needs.extensions, extensions).map(
        (name) => `it lacks the extension "${name}", which the tenant uses. Make it there.`,
      ),
      ...lacking(needs.collations, collations).map(
        (name) => `it lacks the collation "${name}", which the tenant uses. Make it there.`,
      ),
      ...lacking(needs.migrations, seen).map(
        (name) =>
          `the template there has not seen the migration ${name}, which the tenant has. Migrate the template of "${server}".`,
      ),
      ...needs.unfinished.map(
        (name) =>
          `the tenant's migration ${name} is unfinished. Tell its outcome first, as tenancy migrate resolve does.`,
      ),
      ...needs.dependents.map(
        (what) => `${what} depends on the tenant's schema, and lies outside of it. Drop or change it first.`,
      ),
      ...needs.shadowed.map(
        (name) =>
          `a shared schema has "${name}", too: what waits for the tenant's would be written there. Rename one of both.`,
      ),
    ];
  }
}

async function names(executor: SqlExecutor, sql: string, values: unknown[]): Promise<string[]> {
  return ((await executor.query(sql, values)) as { name: string }[]).map(({ name }) => name);
}

/** SQL: the objects of the schema $1, as pg_depend names them. */
const OWN = `
  SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_namespace n ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid
  WHERE n.nspname = $1`;

const SHADOWED = `
  SELECT DISTINCT own.relname AS name FROM pg_catalog.pg_class own
  JOIN pg_catalog.pg_namespace n ON n.oid = own.relnamespace AND n.nspname = $1
  JOIN pg_catalog.pg_class other ON other.relname = own.relname AND other.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  JOIN pg_catalog.pg_namespace shared ON shared.oid = other.relnamespace AND shared.nspname = ANY ($2::text[])
  WHERE own.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1`;

/** SQL: those objects, with what belongs to these: indexes, defaults, constraints, triggers. */
const OWN_AND_PARTS = `
  WITH RECURSIVE own AS (
    ${OWN}
    UNION
    SELECT d.classid, d.objid FROM own o
    JOIN pg_catalog.pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid AND d.deptype IN ('a', 'i'))`;

const EXTENSIONS_OF_SCHEMA = `${OWN_AND_PARTS}
  SELECT DISTINCT e.extname AS name FROM own o
  JOIN pg_catalog.pg_depend d ON d.classid = o.classid AND d.objid = o.objid
  JOIN pg_catalog.pg_depend m ON m.classid = d.refclassid AND m.objid = d.refobjid AND m.deptype = 'e'
    AND m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  JOIN pg_catalog.pg_extension e ON e.oid = m.refobjid ORDER BY 1`;

/** Those of the schema itself move with it. Those that every server has are not told apart. */
const COLLATIONS_OF_SCHEMA = `
  SELECT DISTINCT c.collname AS name FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class t ON t.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
  WHERE n.nspname = $1 AND c.collnamespace <> n.oid AND NOT a.attisdropped ORDER BY 1`;
