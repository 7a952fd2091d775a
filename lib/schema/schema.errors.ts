import { StartError, TenancyError } from '../common/tenancy.errors';

/** Something a clone would not have, and what its owner can do about it. */
export interface Obstacle {
  /** Kind and name: `function total(integer)`. */
  readonly object: string;
  /** Why it is in the way and what to do, in one or two sentences. */
  readonly remedy: string;
}

/** The schema to read is not there, or the current user may not use it. */
export class SchemaNotFoundError extends TenancyError {
  readonly code = 'SCHEMA_NOT_FOUND';

  constructor(readonly schemaName: string) {
    super(
      `There is no schema "${schemaName}" in this database, or the current user lacks USAGE on it. ` +
        'Create it, or check its name.',
    );
  }
}

/** Settings that must end with the caller's transaction were not in force: there is no transaction. */
export class TransactionRequiredError extends TenancyError {
  readonly code = 'TRANSACTION_REQUIRED';

  constructor(readonly schemaName: string) {
    super(
      `The schema "${schemaName}" could not be put in front of the search path. Reading and cloning schemas needs ` +
        'one connection with an open transaction: pass a QueryRunner after startTransaction(), not a DataSource.',
    );
  }
}

/** The schema holds what a clone would lack or get wrong. Nothing was written. */
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

/** A fresh clone is not what its blueprint promised. Roll the transaction back. */
export class CloneNotFaithfulError extends StartError {
  readonly code = 'CLONE_NOT_FAITHFUL';
  declare readonly schemaName: string;
  declare readonly templateName: string;
  declare readonly differences: readonly string[];

  constructor(schemaName: string, templateName: string, differences: readonly string[]) {
    super(
      `The schema "${schemaName}" is not a faithful clone of "${templateName}":\n` +
        differences.map((difference) => `- ${difference}`).join('\n') +
        '\nThe transaction must be rolled back. If the template was changed since its blueprint was compiled, compile ' +
        'it again; otherwise this is a defect of the cloning itself, and the lines above say where.',
      { details: { schemaName, templateName, differences } },
    );
  }
}
