import type { QueryRunner } from 'typeorm';
import { messageOf } from '../../common/error-message';
import { listed } from '../../common/listed';
import { type SqlExecutor, sqlStateOf } from '../../common/sql';
import { EXTENSION_HINT, REFUSES_TRANSACTION } from '../../connection/protocol/hints';
import type { NamedMigration } from './named-migrations';
import type { StrayObject } from './outside-objects';
import {
  addsEnumValue,
  pathChange,
  type QualifiedName,
  qualifiedNames,
  writtenNames,
} from './statement-names';

/** Why a migration was rolled back, in words, with the remedy. `cause` is the error, if there was one. */
export class MigrationProblem extends Error {}

/** The transaction and the path in which a migration runs. It must not change them. */
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

/** In characters. A migration of data may send more than should be remembered. */
const MAX_HEARD = 1_000_000;

/** Statements that a migration has sent, so that an error can tell of them. */
export class HeardStatements {
  /** The last one that changes the path, as far as its text shows. */
  pathChange: string | undefined;
  addsEnumValue = false;
  readonly #texts: string[] = [];
  #length = 0;

  add(text: string): void {
    this.pathChange = pathChange(text) ?? this.pathChange;
    this.addsEnumValue ||= addsEnumValue(text);
    this.#length += text.length;
    if (this.#length <= MAX_HEARD) this.#texts.push(text);
  }

  /** What they change in those schemas, as they name it. */
  writesIn(schemas: readonly string[]): QualifiedName[] {
    const isNamed = (text: string) =>
      schemas.some((schema) => text.toLowerCase().includes(schema.toLowerCase()));
    const found = this.#texts.filter(isNamed).flatMap(writtenNames);
    return [...new Map(found.map((each) => [each.text, each])).values()].filter(({ schema }) =>
      schemas.includes(schema),
    );
  }

  /** How they name what is in those schemas. */
  namesIn(isSchema: (name: string) => boolean): QualifiedName[] {
    const found = this.#texts.flatMap((text) => qualifiedNames(text, isSchema));
    return [...new Map(found.map((each) => [each.text, each])).values()];
  }
}

/** Calls `hear` with each statement of the query runner. Returns a function that stops this. */
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
 * @throws MigrationProblem
 */
export async function runMigration(
  { migration }: NamedMigration,
  direction: 'up' | 'down',
  queryRunner: QueryRunner,
  heard = new HeardStatements(),
): Promise<HeardStatements> {
  const hearNoMore = hearStatements(queryRunner, (text) => heard.add(text));
  try {
    await migration[direction](queryRunner);
    return heard;
  } catch (error) {
    throw new MigrationProblem(whyFailed(error, heard), { cause: error });
  } finally {
    hearNoMore();
  }
}

/** @throws MigrationProblem when the migration has ended its transaction, or changed the path */
export function requirePlace(expected: MigrationPlace, found: MigrationPlace, heard: HeardStatements): void {
  if (found.transaction !== expected.transaction) throw transactionEnded();
  if (found.path !== expected.path) throw pathChanged(found.path, heard);
}

export function transactionEnded(): MigrationProblem {
  return new MigrationProblem(
    'it ended the transaction that it was given. Leave COMMIT and ROLLBACK to the migrator.',
  );
}

export function pathChanged(path: string, heard: HeardStatements): MigrationProblem {
  return new MigrationProblem(
    `it changed search_path to ${path === '' ? 'nothing' : path}${by(heard.pathChange)}. ${PATH_REMEDY}`,
  );
}

/** @throws MigrationProblem when the migration has made something that all tenants would share */
export function requireNoStrays(strays: readonly StrayObject[], own: string, heard: HeardStatements): void {
  if (strays.length === 0) return;
  const made = strays.map(({ type, identity }) => `${type} ${identity}`);
  const names = heard.namesIn((name) => strays.some(({ schema }) => schema === name));
  throw new MigrationProblem(
    `it made ${listed(made)} outside of the schema "${own}". All tenants would share that, and what changes it later would ` +
      `fail in the second of them. ${names.length > 0 ? `Write names without a schema: ${listed(names.map(mended))}` : 'Write names without a schema'}.`,
  );
}

/**
 * Why a tenant's migration must not do what it does to shared schemas, in words; `undefined`: it does nothing to them.
 */
export function sharedWrites(heard: HeardStatements, sharedSchemas: readonly string[]): string | undefined {
  const names = heard.writesIn(sharedSchemas).map(({ text }) => text);
  if (names.length === 0) return undefined;
  return (
    `It changes what all tenants share (${listed(names)}), and each tenant would do so again. Put it into ` +
    'sharedMigrations, which run once in the database: a tenant’s migration may read shared schemas and refer to them.'
  );
}

/** The line that mends a name. */
export function mended({ text, bare }: QualifiedName): string {
  return `${text} → ${bare}`;
}

const PLACE_MARK = 'not the place of the migration: ';

/** Holds the path that a migration is given, for as long as its transaction lasts. */
export const GIVEN_PATH = 'nestjs_tenancy.given_path';

const FOUND_PATH = `pg_catalog.current_setting('search_path')`;
/** Empty when its transaction has ended. */
const GIVEN = `pg_catalog.current_setting('${GIVEN_PATH}', true)`;

/**
 * A statement that fails where a migration has changed the path, or ended the transaction in which `GIVEN_PATH` was set: for
 * what travels with COMMIT, where nobody can look at an answer first.
 */
export const PLACE_CHECK = `SELECT CASE WHEN ${FOUND_PATH} OPERATOR(pg_catalog.=) ${GIVEN} AND ${GIVEN} OPERATOR(pg_catalog.<>) ''
  THEN 0 ELSE pg_catalog.concat('${PLACE_MARK}', ${GIVEN} OPERATOR(pg_catalog.<>) '', ' ', ${FOUND_PATH})::pg_catalog.int4 END`;

/** What `PLACE_CHECK` says in front of the path where the transaction is still open. */
const IS_OPEN = 't ';

/** @throws MigrationProblem when `error` is that of a `PLACE_CHECK` */
export function explainPlace(error: unknown, heard: HeardStatements): void {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code !== '22P02' || typeof message !== 'string') return;
  const start = message.indexOf(PLACE_MARK);
  if (start === -1) return;
  const told = message.slice(start + PLACE_MARK.length, message.lastIndexOf('"'));
  throw told.startsWith(IS_OPEN) ? pathChanged(told.slice(IS_OPEN.length), heard) : transactionEnded();
}

const PATH_REMEDY =
  'Take that out: the path leads to the schema that is migrated, and a name without a schema means that one. pg_dump ' +
  'writes such a line at the top of what it dumps.';

/** Enough of a statement to know it by. */
const EXCERPT = 120;

function by(change: string | undefined): string {
  return change === undefined ? '' : ` (${change.slice(0, EXCERPT)})`;
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
  const message = messageOf(error);
  const remedy = REMEDIES[sqlStateOf(error) ?? ''];
  const told = [message, ...(remedy === undefined || message.includes(remedy) ? [] : [remedy])];
  const names = heard.namesIn((schema) => schema === 'public');
  if (names.length > 0)
    told.push(`It names a schema, so it means the same in all tenants: ${listed(names.map(mended))}.`);
  const change = heard.pathChange;
  if (change !== undefined) told.push(`It had changed search_path before${by(change)}. ${PATH_REMEDY}`);
  return told.map((part, i) => (i < told.length - 1 ? part.replace(/\.?$/, '.') : part)).join(' ');
}
