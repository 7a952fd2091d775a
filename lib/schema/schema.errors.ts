import { TenancyError } from '../common/tenancy.errors';
import { StartError } from '../common/start.errors';

/** Something that a clone would lack, and what its owner can do about it. */
export interface Obstacle {
  /** Kind and name: `function total(integer)`. */
  readonly object: string;
  /** Why it cannot be cloned and what to do, in one or two sentences. */
  readonly remedy: string;
}

/** The schema to read does not exist, or the current user may not use it. */
export class SchemaNotFoundError extends TenancyError {
  readonly code = 'SCHEMA_NOT_FOUND';

  constructor(readonly schemaName: string) {
    super(
      `There is no schema "${schemaName}" in this database, or the current user lacks USAGE on it. ` +
        'Create it, or check its name.',
    );
  }
}

/** Parameters that last until the end of the transaction were not in force, so no transaction is open. */
export class TransactionRequiredError extends TenancyError {
  readonly code = 'TRANSACTION_REQUIRED';

  constructor(readonly schemaName: string) {
    super(
      `The schema "${schemaName}" could not be put first on the search path. Reading and cloning schemas needs ` +
        'one connection with an open transaction: pass a QueryRunner after startTransaction(), not a DataSource.',
    );
  }
}

/** The schema holds objects that a clone would lack or get wrong. Nothing was written. */
export class SchemaNotCloneableError extends StartError {
  readonly code = 'SCHEMA_NOT_CLONEABLE';
  declare readonly schemaName: string;
  declare readonly obstacles: readonly Obstacle[];

  constructor(schemaName: string, obstacles: readonly Obstacle[]) {
    super(
      `The schema "${schemaName}" cannot be cloned, because of:\n` +
        obstacles.map(({ object, remedy }) => `- ${object}: ${remedy}`).join('\n'),
      { details: { schemaName, obstacles } },
    );
  }
}

/** A new clone does not have the structure that its blueprint describes. Roll the transaction back. */
export class CloneNotFaithfulError extends StartError {
  readonly code = 'CLONE_NOT_FAITHFUL';
  declare readonly schemaName: string;
  declare readonly templateName: string;
  declare readonly differences: readonly string[];

  constructor(schemaName: string, templateName: string, differences: readonly string[]) {
    super(
      `The schema "${schemaName}" is not a faithful clone of "${templateName}":\n` +
        differences.map((difference) => `- ${difference}`).join('\n') +
        '\nRoll the transaction back. If the template was changed since its blueprint was compiled, compile it again; ' +
        'otherwise this is a defect of the cloning itself, and the lines above say where.',
      { details: { schemaName, templateName, differences } },
    );
  }
}
