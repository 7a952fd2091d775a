import type { QueryRunner } from 'typeorm';
import { quoteLiteral, type SqlExecutor } from '../common/sql';
import { EXTENSION_HINT, REFUSES_TRANSACTION } from '../connection/hints';
import type { NamedMigration } from './named-migrations';

/** Why a migration cannot be kept, in words, with the remedy. Its cause is what was thrown, if something was. */
export class MigrationTrouble extends Error {}

/** Where a migration works. It is to leave it as it found it. */
export interface MigrationPlace {
  /** The transaction's number. */
  readonly transaction: string;
  readonly path: string;
}

/** The columns of a query that tells the place. */
export const PLACE_COLUMNS = `pg_catalog.txid_current()::pg_catalog.text AS transaction, pg_catalog.current_setting('search_path') AS path`;

export async function readPlace(executor: SqlExecutor): Promise<MigrationPlace> {
  const [place] = (await executor.query(`SELECT ${PLACE_COLUMNS}`)) as MigrationPlace[];
  return place;
}

/** Statements that a migration has sent, so that an error can tell of them. */
export class HeardStatements {
  /** The last one that changes the path, as far as its text shows. */
  pathChange: string | undefined;

  add(text: string): void {
    this.pathChange = PATH_CHANGE.exec(text)?.[0].trim() ?? this.pathChange;
  }
}

/** Not the clause of a function, which has no semicolon before it. */
const PATH_CHANGE =
  /(?:^|;)\s*(?:set\s+(?:session\s+|local\s+)?(?:search_path|schema)\b|reset\s+(?:all|search_path)\b|discard\s+all\b)[^;]{0,80}|select\s+(?:pg_catalog\.)?set_config\s*\(\s*'search_path'[^;]{0,80}/i;

/** Calls `hear` with each statement that the query runner is given, until the function that it answers is called. */
export function hearStatements(
  queryRunner: QueryRunner,
  hear: (text: string, parameters: readonly unknown[] | undefined) => void,
): () => void {
  const query = queryRunner.query.bind(queryRunner);
  queryRunner.query = ((text: string, parameters?: unknown[], ...rest: []) => {
    hear(text, parameters);
    return query(text, parameters as never, ...rest);
  }) as QueryRunner['query'];
  return () => {
    queryRunner.query = query;
  };
}

/**
 * Runs a migration, and says what it has sent.
 *
 * @throws MigrationTrouble
 */
export async function runMigration(
  { migration }: NamedMigration,
  direction: 'up' | 'down',
  queryRunner: QueryRunner,
): Promise<HeardStatements> {
  const heard = new HeardStatements();
  const hearNoMore = hearStatements(queryRunner, (text) => heard.add(text));
  try {
    await migration[direction](queryRunner);
    return heard;
  } catch (error) {
    throw new MigrationTrouble(whyFailed(error, heard), { cause: error });
  } finally {
    hearNoMore();
  }
}

/** @throws MigrationTrouble when the migration has ended its transaction, or changed the path */
export function requirePlace(expected: MigrationPlace, found: MigrationPlace, heard: HeardStatements): void {
  if (found.transaction !== expected.transaction) {
    throw new MigrationTrouble(
      'it ended the transaction that it was given. Leave COMMIT and ROLLBACK to the migrator.',
    );
  }
  if (found.path !== expected.path) {
    throw new MigrationTrouble(
      `it changed search_path to ${found.path === '' ? 'nothing' : found.path}${by(heard)}. ${PATH_REMEDY}`,
    );
  }
}

const PLACE_MARK = 'not the place of the migration: ';

/**
 * A statement that fails when it does not run at that place: for what travels with COMMIT, where nobody can look at an
 * answer first.
 */
export function placeCheck({ transaction, path }: MigrationPlace): string {
  const found = `pg_catalog.concat(pg_catalog.txid_current(), ' ', pg_catalog.current_setting('search_path'))`;
  return `SELECT CASE WHEN ${found} OPERATOR(pg_catalog.=) ${quoteLiteral(`${transaction} ${path}`)} THEN 0
    ELSE pg_catalog.concat('${PLACE_MARK}', ${found})::pg_catalog.int4 END`;
}

/** What the error of a `placeCheck` tells; `undefined` for another error. */
export function placeIn(error: unknown): MigrationPlace | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code !== '22P02' || typeof message !== 'string') return undefined;
  const start = message.indexOf(PLACE_MARK);
  if (start === -1) return undefined;
  const told = message.slice(start + PLACE_MARK.length, message.lastIndexOf('"'));
  const space = told.indexOf(' ');
  return { transaction: told.slice(0, space), path: told.slice(space + 1) };
}

const PATH_REMEDY =
  'Take that out: the path leads to the schema that is migrated, and a name without a schema means that one. pg_dump ' +
  'writes such a line at the top of what it dumps.';

function by({ pathChange }: HeardStatements): string {
  return pathChange === undefined ? '' : ` (${pathChange.replace(/^;\s*/, '')})`;
}

const REMEDIES: Readonly<Record<string, string>> = {
  [REFUSES_TRANSACTION]:
    'What cannot run in a transaction goes by itself into a migration that says: readonly transaction = false.',
  // unsafe_new_enum_value_usage
  '55P04': 'Use it in a migration of its own, after the one that adds it.',
  // undefined_function, undefined_object
  '42883': EXTENSION_HINT,
  '42704': EXTENSION_HINT,
};

/** The error's message, and what a migration has to do with it. */
function whyFailed(error: unknown, heard: HeardStatements): string {
  const message = error instanceof Error ? error.message : String(error);
  const { code, driverError } = (error ?? {}) as { code?: unknown; driverError?: { code?: unknown } };
  const remedy = REMEDIES[String(code ?? driverError?.code)];
  const told = [message, ...(remedy === undefined || message.includes(remedy) ? [] : [remedy])];
  if (heard.pathChange !== undefined)
    told.push(`It had changed search_path before${by(heard)}. ${PATH_REMEDY}`);
  return told.map((part, i) => (i < told.length - 1 ? part.replace(/\.?$/, '.') : part)).join(' ');
}
