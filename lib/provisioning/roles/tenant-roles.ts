import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { TENANT_DATA_SOURCE } from '../../connection/typeorm/tenant-data-source';
import { TenantContext } from '../../context/tenant-context';
import { makeEventDoor } from '../../registry/events/event-door';
import { TenantStore } from '../../registry/store/tenant.store';
import { RolesNotSafeError } from '../provisioning-start.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { RoleChecks } from './role-checks';
import { dropUnusedRoles, findUnprepared, prepareTenantRole } from './role-grants';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { Template } from '../template/template';

const PAGE_SIZE = 500;

/**
 * Gives each tenant a PostgreSQL role with rights on its own schema only. Without the option `roles` it does nothing.
 */
@Injectable()
export class TenantRoles {
  readonly #logger = new Logger(TenantRoles.name);
  /** By server. */
  readonly #loginRoles = new Map<string, Promise<string>>();

  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly tenants: DataSource,
    private readonly context: TenantContext,
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly template: Template,
    private readonly checks: RoleChecks,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws RolesNotSafeError naming everything that would let a tenant reach another one */
  async requireSafety(): Promise<void> {
    if (!this.options.roles) return;
    const problems = await this.checks.find();
    if (problems.length > 0) throw new RolesNotSafeError(problems);
  }

  /** Call it in the transaction that makes the schema, after everything in it was made. */
  async prepare(transaction: SqlExecutor, schemaName: string): Promise<void> {
    if (this.options.roles) await prepareTenantRole(transaction, schemaName, await this.#login());
  }

  /** The role with which requests log in, where tenants have roles of their own. */
  async loginRole(): Promise<string | undefined> {
    return this.options.roles ? this.#login() : undefined;
  }

  /**
   * Makes the missing roles of tenants and spares on a server, and returns their schemas. Each role has a transaction of its
   * own; several instances may do this at once.
   */
  async prepareAll(server: string): Promise<string[]> {
    return this.options.roles ? this.context.runAsSystem(() => this.#prepareAll(server), server) : [];
  }

  /** Lets tenants' roles record events in the transaction's database. */
  async openEventDoor(transaction: SqlExecutor): Promise<void> {
    if (this.options.roles) await makeEventDoor(transaction, this.options.registrySchema);
  }

  async #prepareAll(server: string): Promise<string[]> {
    await this.transactions.run((manager) => this.openEventDoor(manager));
    const loginRole = await this.#login();
    const prepared: string[] = [];
    for await (const page of this.#schemas(server)) {
      const names = await this.transactions.run((manager) => findUnprepared(manager, page, loginRole));
      for (const name of names) {
        await this.transactions.run(async (manager) => {
          await this.template.lockShared(manager);
          await prepareTenantRole(manager, name, loginRole);
        });
      }
      prepared.push(...names);
    }
    if (prepared.length > 0) this.#logger.log(`${prepared.length} schemas were given roles of their own.`);
    return prepared;
  }

  /** Drops roles whose schemas were dropped earlier, and that something still depended on then. */
  async dropUnused(server: string): Promise<string[]> {
    if (!this.options.roles) return [];
    return this.transactions.run(async (manager) => {
      // With this lock, no instance is about to make a schema for one of them.
      await this.template.lockExclusive(manager);
      return dropUnusedRoles(manager, await this.#login());
    }, server);
  }

  async *#schemas(server: string): AsyncGenerator<string[]> {
    yield this.transactions.run((manager) => this.#spares(manager));
    for await (const page of this.store.eachPage({ server }, PAGE_SIZE))
      yield page.map(({ schemaName }) => schemaName);
  }

  async #spares(manager: EntityManager): Promise<string[]> {
    const found = await manager.query<{ name: string }[]>(
      `SELECT schema_name AS name FROM ${quoteIdentifier(this.options.registrySchema)}.spares`,
    );
    return found.map(({ name }) => name);
  }

  /** The role with which requests log in, on the server where the caller works. */
  #login(): Promise<string> {
    const { server } = this.context.site();
    let login = this.#loginRoles.get(server);
    if (!login) {
      login = this.context.runAsSystem(async () => {
        const [{ name }] = await this.tenants.query<{ name: string }[]>('SELECT session_user AS name');
        return name;
      }, server);
      this.#loginRoles.set(server, login);
      login.catch(() => this.#loginRoles.delete(server));
    }
    return login;
  }
}
