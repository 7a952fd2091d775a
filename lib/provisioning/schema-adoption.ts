import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import type { Blueprint } from '../schema/blueprint';
import { verifyClone } from '../schema/verify';
import { CloneNotFaithfulError } from '../schema/schema.errors';
import { SchemaDiffersError, SchemaNotAdoptableError } from './provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { PurgeRecords } from './purge/purge-records';
import { RegistryNeighbours } from './marks/registry-neighbours';
import { SchemaMarks } from './marks/schema-marks';
import { Spares } from './spares/spares';
import { Template } from './template/template';
import type { HomePlan } from './homes/tenant-home';

/** Makes an existing schema a tenant's. */
@Injectable()
export class SchemaAdoption {
  constructor(
    private readonly transactions: SystemTransactions,
    private readonly template: Template,
    private readonly spares: Spares,
    private readonly marks: SchemaMarks,
    private readonly neighbours: RegistryNeighbours,
    private readonly purges: PurgeRecords,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws SchemaNotAdoptableError when no tenant's schema can have this name */
  check(schemaName: string): void {
    const { templateSchema, registrySchema, sharedSchemas } = this.options;
    const refuse = (why: string) => new SchemaNotAdoptableError(String(schemaName), why);
    if (!isIdentifier(schemaName)) throw refuse('no schema can have that name');
    if (schemaName === templateSchema) throw refuse('it is the template, which others are cloned from');
    if (schemaName === registrySchema) throw refuse('it is the registry, which holds all tenants’ rows');
    if (sharedSchemas.includes(schemaName))
      throw refuse('it is one of the sharedSchemas, which all tenants see');
    if (schemaName.startsWith('pg_') || schemaName === 'information_schema')
      throw refuse('it is PostgreSQL’s own');
  }

  /** @throws SchemaNotAdoptableError, SchemaDiffersError */
  async plan(manager: EntityManager, schemaName: string, force: boolean): Promise<HomePlan> {
    await this.template.lockShared(manager);
    const found = await manager.query<unknown[]>('SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1', [
      schemaName,
    ]);
    if (found.length === 0) throw new SchemaNotAdoptableError(schemaName, 'there is no such schema');
    if (await this.spares.has(manager, schemaName))
      throw new SchemaNotAdoptableError(schemaName, 'it is a spare, and waits for a tenant to be created');
    if (await this.transactions.inRegistry((registry) => this.purges.has(registry, schemaName)))
      throw new SchemaNotAdoptableError(
        schemaName,
        'it is of a tenant that is being purged, which drops all of it',
      );
    if (await this.marks.isOfMove(manager, schemaName))
      throw new SchemaNotAdoptableError(
        schemaName,
        'it is of a tenant that is being moved, or what a move has left, which is dropped later',
      );
    await this.#refuseOthers(manager, schemaName);
    const { blueprint, schemaVersion } = await this.template.current(manager);
    const differences = await compare(manager, blueprint, schemaName);
    if (differences.length > 0 && !force) throw new SchemaDiffersError(schemaName, differences);
    const templateVersion = differences.length > 0 ? null : blueprint.fingerprint;
    return { schemaName, templateVersion, schemaVersion };
  }

  /**
   * A schema that another registry has marked probably belongs to a tenant of that registry. A schema without a mark
   * may be older than marks, and one with our mark may belong to a copy of this registry, so the other registries are
   * searched for it.
   */
  async #refuseOthers(manager: EntityManager, schemaName: string): Promise<void> {
    const owner = await this.marks.ownerOf(manager, schemaName);
    if (owner === undefined || owner === (await this.marks.registryId(manager)))
      return this.#refuseUsed(manager, schemaName);
    throw new SchemaNotAdoptableError(
      schemaName,
      `its comment says that it belongs to another registry, ${owner}; if that one has no use for it any more, take ` +
        `the mark away: COMMENT ON SCHEMA ${quoteIdentifier(schemaName)} IS NULL`,
    );
  }

  async #refuseUsed(manager: EntityManager, schemaName: string): Promise<void> {
    const use = await this.neighbours.useOf(manager, schemaName);
    if (use === undefined) return;
    throw new SchemaNotAdoptableError(
      schemaName,
      `${use}; if no application works with that registry any more, drop it, and adopt again`,
    );
  }
}

/** The differences in words; empty when the two are equal. */
async function compare(
  manager: EntityManager,
  blueprint: Blueprint,
  schemaName: string,
): Promise<readonly string[]> {
  try {
    await verifyClone(manager, blueprint, schemaName);
    return [];
  } catch (error) {
    if (error instanceof CloneNotFaithfulError) return error.differences;
    throw error;
  }
}

function isIdentifier(name: unknown): name is string {
  try {
    return typeof name === 'string' && quoteIdentifier(name) !== '';
  } catch {
    return false;
  }
}
