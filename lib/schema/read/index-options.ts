import { quoteIdentifier } from '../../common/sql';

interface Indexed {
  readonly type: string;
  readonly name: string;
  readonly definition: string;
  readonly indexOptions: string | null;
}

/** The definition with the storage parameters of the index behind it, which PostgreSQL does not print. */
export function withIndexOptions({ type, definition, indexOptions }: Indexed): string {
  if (indexOptions === null || type === 'x') return definition;
  return definition.replace(/(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?$/, ` WITH (${indexOptions})$&`);
}

/** An exclusion's condition may be any text, so its parameters are set afterwards. */
export function indexOptionStatements({ type, name, indexOptions }: Indexed): string[] {
  if (indexOptions === null || type !== 'x') return [];
  return [`ALTER INDEX ${quoteIdentifier(name)} SET (${indexOptions})`];
}
