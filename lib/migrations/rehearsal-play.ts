import type { QueryRunner } from 'typeorm';
import { messageOf } from '../common/error-message';
import {
  HeardStatements,
  hearStatements,
  readPlace,
  requirePlace,
  runMigration,
} from '../provisioning/template/migration-run';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { runInShared } from '../provisioning/template/shared-migrator';
import type { Rehearsal } from './migration-plan';
import type { NamesElsewhere } from './names-elsewhere';

/**
 * Statements that are not shown: those that begin and end transactions for the migrator, and TypeORM's queries of the
 * catalogs.
 */
const NOT_TOLD =
  /^\s*(?:START TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SELECT\b.*(?:information_schema|"?pg_(?:class|catalog|constraint|index|namespace|type|attribute)|current_schema\(\)|version\(\)))/is;

const OUTSIDE: Rehearsal = {
  sql: null,
  note: 'It has transaction = false, so it cannot be tried and rolled back: read its code.',
  problems: [],
};

/** A rehearsal of several migrations. Savepoints separate them. */
export class Play {
  /** Names of migrations that did not run on the copy. Later ones may depend on them. */
  readonly #leftOut: string[] = [];

  constructor(private readonly session: QueryRunner) {}

  /** Rehearses a migration of tenants. */
  async rehearse(named: NamedMigration, names: NamesElsewhere): Promise<Rehearsal> {
    const { session } = this;
    if (named.migration.transaction === false) {
      const heard = new HeardStatements();
      this.leaveOut(named);
      await readUnsent(session, named, heard);
      return { ...OUTSIDE, problems: await names.problemsOf(session, heard) };
    }
    const run = async (heard: HeardStatements) => {
      const place = await readPlace(session);
      await runMigration(named, 'up', session, heard);
      requirePlace(place, await readPlace(session), heard);
    };
    return this.#try(named, run, (heard) => names.problemsOf(session, heard));
  }

  /** Rehearses a migration of a shared schema. */
  rehearseShared(schemaName: string, named: NamedMigration): Promise<Rehearsal> {
    return this.#try(
      named,
      (heard) => runInShared(schemaName, named, 'up', this.session, heard),
      () => Promise.resolve([]),
    );
  }

  /** Notes a migration that is not run, without which later ones may fail. */
  leaveOut({ name }: NamedMigration): void {
    this.#leftOut.push(name);
  }

  async #try(
    named: NamedMigration,
    run: (heard: HeardStatements) => Promise<void>,
    problemsOf: (heard: HeardStatements) => Promise<string[]>,
  ): Promise<Rehearsal> {
    const { session } = this;
    const heard = new HeardStatements();
    const sql: string[] = [];
    // Not by TypeORM, which counts its savepoints: a migration may release one too many.
    await session.query('SAVEPOINT rehearsal');
    const hearNoMore = hearStatements(session, (text, parameters) => {
      if (!NOT_TOLD.test(text)) sql.push(withParameters(text, parameters));
    });
    try {
      await run(heard).finally(hearNoMore);
      const problems = await problemsOf(heard);
      await session.query('RELEASE SAVEPOINT rehearsal');
      return { sql, problems };
    } catch (error) {
      await session.query('ROLLBACK TO SAVEPOINT rehearsal');
      const problems = await problemsOf(heard);
      const told =
        this.#leftOut.push(named.name) > 1
          ? ` (${this.#leftOut.slice(0, -1).join(', ')} did not run there)`
          : '';
      if (usesNewValue(error) && !heard.addsEnumValue) return { sql, note: NEEDS_COMMIT, problems };
      const why = messageOf(error);
      return { sql, problems: [`On an empty copy of the structure it fails${told}: ${why}`, ...problems] };
    }
  }
}

const NEEDS_COMMIT =
  'It uses a value that an earlier migration adds to an enum. PostgreSQL allows that only after a commit, so the rest cannot be shown.';

/** SQLSTATE unsafe_new_enum_value_usage. */
function usesNewValue(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } };
  return cause?.code === '55P04';
}

/** The statements that a migration would send if every answer were empty. Nothing is sent. */
async function readUnsent(
  session: QueryRunner,
  { migration }: NamedMigration,
  heard: HeardStatements,
): Promise<void> {
  const query = session.query;
  session.query = ((text: string, _parameters: unknown, isStructured?: boolean) => {
    heard.add(text);
    return Promise.resolve(isStructured ? { raw: [], records: [] } : []);
  }) as QueryRunner['query'];
  await migration.up(session).catch(() => undefined);
  session.query = query;
}

function withParameters(text: string, parameters: readonly unknown[] | undefined): string {
  return parameters?.length ? `${text} -- ${JSON.stringify(parameters)}` : text;
}
