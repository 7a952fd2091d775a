import { Injectable } from '@nestjs/common';
import type { SqlExecutor } from '../common/sql';
import { Template } from '../provisioning/template/template';
import { inSchema } from '../schema/catalog';
import { type Makers, readMakers, repairOf, type Repair, statementsOf } from '../schema/repairs';
import { structureFingerprint } from '../schema/fingerprint';
import { asFirstPrinted, type Prints } from '../schema/prints';
import { readStructure, type StructureLine } from '../schema/structure';
import { compareStructures, type StructureDifference } from '../schema/structure-differences';
import { type HashQuery, hashQueryFor, hashStructures, readHashQuery } from '../schema/structure-hashes';
import type { DriftDifference } from './drift-report';

/** What schemas are compared with, as it was when the comparison began. */
export interface DriftStandard {
  readonly hash: string;
  readonly hashQuery: HashQuery;
  /** How a schema may print differently without a difference in meaning. */
  readonly prints: Prints;
  readonly lines: readonly StructureLine[];
  readonly makers: Makers;
}

/** A difference and its repair. */
export interface RepairableDifference {
  readonly difference: StructureDifference;
  readonly repair?: Repair;
}

/** Finds how one schema differs from the template. Call its methods in a transaction. */
@Injectable()
export class SchemaDrift {
  constructor(private readonly template: Template) {}

  async readStandard(transaction: SqlExecutor): Promise<DriftStandard> {
    const { schemaName } = this.template;
    await this.template.lockShared(transaction);
    const lines = await inSchema(transaction, schemaName, (schema, reader) => readStructure(reader, schema));
    const hashQuery = hashQueryFor(await readHashQuery(transaction), lines);
    const makers = await readMakers(transaction, schemaName);
    const fingerprint = structureFingerprint(lines);
    const prints = await this.template.printsOf(transaction, { fingerprint, hashQuery });
    return { hash: await this.hashTemplate(transaction, hashQuery), hashQuery, prints, lines, makers };
  }

  async hashTemplate(transaction: SqlExecutor, hashQuery: HashQuery): Promise<string> {
    const hashes = await hashStructures(transaction, hashQuery, [this.template.schemaName]);
    return hashes.get(this.template.schemaName) ?? '';
  }

  /** The schemas that differ from the template; a missing one is among them. */
  async findDifferent(
    transaction: SqlExecutor,
    { hash, hashQuery, prints }: DriftStandard,
    schemaNames: readonly string[],
  ): Promise<Set<string>> {
    const hashes = await hashStructures(transaction, hashQuery, schemaNames, prints.hashes);
    return new Set(schemaNames.filter((name) => hashes.get(name) !== hash));
  }

  /** @throws SchemaNotFoundError when the schema does not exist */
  async compare(
    transaction: SqlExecutor,
    { lines, makers, prints }: DriftStandard,
    schemaName: string,
  ): Promise<RepairableDifference[]> {
    const found = await inSchema(transaction, schemaName, (schema, reader) => readStructure(reader, schema));
    return compareStructures(lines, asFirstPrinted(found, prints)).map((difference) => ({
      difference,
      repair: repairOf(difference, makers, schemaName),
    }));
  }
}

export function toDriftDifference({ difference, repair }: RepairableDifference): DriftDifference {
  const { object, kind, sentences } = difference;
  return {
    object,
    kind,
    sentences,
    repair: repair ? statementsOf([repair]) : null,
    isSafe: repair?.isSafe ?? false,
  };
}
