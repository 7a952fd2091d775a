import { quoteIdentifier } from '../../common/sql';

interface Indexed {
  readonly type: string;
  readonly name: string;
  readonly definition: string;
  readonly indexOptions: string | null;
}

/** The definition with the storage parameters of its index, which PostgreSQL does not print. */
export function withIndexOptions({ type, definition, indexOptions }: Indexed): string {
  if (indexOptions === null || type === 'x') return definition;
  return definition.replace(/(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?$/, ` WITH (${indexOptions})$&`);
}

/**
 * The condition of an exclusion constraint may be any text, so nothing can be put into its definition. The parameters
 * are set afterwards.
 */
export function indexOptionStatements({ type, name, indexOptions }: Indexed): string[] {
  if (indexOptions === null || type !== 'x') return [];
  return [`ALTER INDEX ${quoteIdentifier(name)} SET (${indexOptions})`];
}
