import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { replayBlueprint } from '../../schema/clone';
import { verifyReplay } from '../../schema/verify';
import { generateSchemaName } from '../../registry/schema-name';
import { RegistryCopiedError } from '../provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { DatabaseRefill } from './database-refill';
import { SchemaDrop } from '../marks/schema-drop';
import { SchemaMarks, SPARE_COMMENT } from '../marks/schema-marks';
import { type Spare, Spares } from './spares';
import { Servers } from '../../connection/servers/servers';
import { TenantContext } from '../../context/tenant-context';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { Template } from '../template/template';
import { TenantRoles } from '../roles/tenant-roles';

/** Keeps the spares complete: at the start, after each that is taken, and at every sweep. */
@Injectable()
export class SpareRefill {
  readonly #logger = new Logger(SpareRefill.name);
  #running: Promise<void> | undefined;
  #again = false;
  #closing = false;

  constructor(
    private readonly context: TenantContext,
    private readonly servers: Servers,
    private readonly transactions: SystemTransactions,
    private readonly template: Template,
    private readonly spares: Spares,
    private readonly roles: TenantRoles,
    private readonly marks: SchemaMarks,
    private readonly drop: SchemaDrop,
    private readonly databases: DatabaseRefill,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** Waits for the clone that is being made, because its connection is about to be closed. */
  async stop(): Promise<void> {
    this.#closing = true;
    await this.#running?.catch(() => undefined);
  }

  /** Begins in the background. A failure is logged, and the next call tries again. */
  start(): void {
    this.refill().catch((error: unknown) => {
      // Errors during the shutdown are not logged, because the next start makes the spares.
      if (this.#closing) return;
      this.#logger.warn(
        `Spare schemas are missing, so tenants are cloned when they sign up: ${String(error)}`,
      );
    });
  }

  /** Resolves when every slot holds a spare of the template's version, or another instance is at work on it. */
  refill(): Promise<void> {
    // A spare that was taken during the run may be missed by it, so another run follows.
    this.#again = this.#running !== undefined;
    return (this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    }));
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      const ready = this.servers.openNames.filter((server) => this.template.isReadyOn(server));
      // One that is away keeps none of the others waiting. The first error is thrown.
      const outcomes = await Promise.allSettled(ready.map((server) => this.#refill(server)));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    } while (this.#again && !this.#closing);
  }

  #refill(server: string): Promise<void> {
    return this.context.runAsSystem(async () => {
      const slots = (await this.#openSlots()).values();
      const workers = Array.from({ length: this.options.spares.refillConcurrency }, async () => {
        for (const slot of slots) await this.#fill(slot, server);
      });
      const outcomes = await Promise.allSettled([
        ...workers,
        this.databases.refill(server, () => !this.#closing),
      ]);
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    }, server);
  }

  #openSlots(): Promise<number[]> {
    return this.transactions.run(async (manager) => {
      await this.template.lockShared(manager);
      const { version } = await this.template.current(manager);
      return this.spares.listOpenSlots(manager, version, this.options.spares.count);
    });
  }

  async #fill(slot: number, server: string): Promise<void> {
    for (let isDone = false; !isDone && !this.#closing;) {
      isDone = await this.transactions.run(async (manager) => {
        return !(await this.spares.lockSlot(manager, slot)) || this.#advance(manager, slot, server);
      });
    }
  }

  /** Drops a part of a stale spare, or makes a new one. Returns whether all is done. */
  async #advance(manager: EntityManager, slot: number, server: string): Promise<boolean> {
    await this.template.lockShared(manager);
    const { version, blueprint } = await this.template.current(manager);
    const spare = await this.spares.find(manager, slot);
    if (spare?.version === version && spare.isWaiting) return true;
    if (spare) {
      await this.spares.condemn(manager, slot);
      if (await this.#dropPart(manager, spare, server)) await this.spares.remove(manager, slot);
      return false;
    }
    if (slot >= this.options.spares.count) return true;
    const schemaName = generateSchemaName();
    await this.spares.add(manager, slot, { schemaName, version });
    await replayBlueprint(manager, blueprint, schemaName);
    await verifyReplay(manager, blueprint, schemaName);
    await this.roles.prepare(manager, schemaName);
    await this.marks.write(manager, schemaName, SPARE_COMMENT);
    return true;
  }

  /**
   * Drops a part of the spare's schema. Returns whether nothing is left to drop. A schema without our mark of a spare
   * is kept, and no longer counts as a spare; so is that of a tenant.
   */
  async #dropPart(manager: EntityManager, { schemaName, isThere }: Spare, server: string): Promise<boolean> {
    if (!isThere) return true;
    if (await this.spares.isTenants(schemaName, { server, isolation: 'schema' })) {
      this.#logger.warn(
        `A spare on the server "${server}" is given up: in the registry the schema "${schemaName}" is a tenant's.`,
      );
      return true;
    }
    if (!(await this.marks.isWaiting(manager, schemaName))) {
      this.#logger.warn(
        `A spare is given up: the comment on the schema "${schemaName}" does not say that it waits for a tenant of this registry.`,
      );
      return true;
    }
    await this.marks.markOfBefore(manager, schemaName);
    try {
      return (await this.drop.dropNextPart(manager, schemaName)).isLast;
    } catch (error) {
      if (!(error instanceof RegistryCopiedError)) throw error;
      this.#logger.warn(`A spare is given up: ${error.message}`);
      return true;
    }
  }
}
