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

/** What schemas should be like, as it was when the look at them began. */
export interface DriftStandard {
  readonly hash: string;
  readonly hashQuery: HashQuery;
  /** What a schema may print otherwise, and mean the same. */
  readonly prints: Prints;
  readonly lines: readonly StructureLine[];
  readonly makers: Makers;
}

/** A difference with the repair that goes with it. */
export interface RepairableDifference {
  readonly difference: StructureDifference;
  readonly repair?: Repair;
}

/** How one schema differs from the template. All of it needs a transaction of the caller's. */
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

  /** Of those schemas the ones that are not as they should be; a missing one is among them. */
  async findDifferent(
    transaction: SqlExecutor,
    { hash, hashQuery, prints }: DriftStandard,
    schemaNames: readonly string[],
  ): Promise<Set<string>> {
    const hashes = await hashStructures(transaction, hashQuery, schemaNames, prints.hashes);
    return new Set(schemaNames.filter((name) => hashes.get(name) !== hash));
  }

  /** `undefined` when the schema is not there. */
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
