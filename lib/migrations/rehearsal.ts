import { Inject, Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import type { QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { transactionCommands } from '../connection/transaction-commands';
import { TenantContext } from '../context/tenant-context';
import {
  HeardStatements,
  hearStatements,
  readPlace,
  requirePlace,
  runMigration,
} from '../provisioning/migration-run';
import type { NamedMigration } from '../provisioning/named-migrations';
import { OwnSessions } from '../provisioning/own-sessions';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { compileBlueprint } from '../schema/blueprint';
import { replayBlueprint } from '../schema/clone';
import { generateSchemaName } from '../tenant/schema-name';
import { FleetMembers } from './fleet-members';
import type { Rehearsal } from './migration-plan';
import { NamesElsewhere } from './names-elsewhere';

/** What a rehearsal may wait for: tables of shared schemas, which a foreign key locks for a moment. */
const LOCK_TIMEOUT_MS = 5_000;

/** Begins and ends what the migrator begins and ends, or asks PostgreSQL what is there: not what a migration does. */
const NOT_TOLD =
  /^\s*(?:START TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SELECT\b.*(?:information_schema|"?pg_(?:class|catalog|constraint|index|namespace|type|attribute)|current_schema\(\)|version\(\)))/is;

/**
 * Runs migrations on an empty copy of a schema that lacks them, in a transaction that is rolled back: so that their SQL
 * can be read before it is meant. No tenant's table is locked but for reading its definition.
 */
@Injectable()
export class RehearsalStage {
  constructor(
    private readonly sessions: OwnSessions,
    private readonly context: TenantContext,
    private readonly members: FleetMembers,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** By name. Those that the schema has seen, and those that cannot be shown, say so in a note. */
  async run(
    pending: readonly NamedMigration[],
    templateLacks: (name: string) => boolean,
  ): Promise<Map<string, Rehearsal>> {
    if (pending.length === 0) return new Map();
    const { schemaName, done } = await this.#chooseModel(pending, templateLacks);
    const scratch = generateSchemaName();
    return this.context.runInSchema(scratch, () =>
      this.sessions.run(
        async (session) => {
          await session.startTransaction('READ COMMITTED');
          const rollBack = await refuseToEnd(session);
          await this.#setUp(session, schemaName, scratch);
          const names = await NamesElsewhere.read(session, scratch, this.options.sharedSchemas);
          const play = new Play(session, names);
          const told = new Map<string, Rehearsal>();
          for (const each of pending) {
            told.set(each.name, done(each.name) ? NOT_LACKED : await play.rehearse(each));
          }
          await rollBack();
          return told;
        },
        { isRequired: false },
      ),
    );
  }

  /** A tenant that lacks one of them, else the template. */
  async #chooseModel(pending: readonly NamedMigration[], templateLacks: (name: string) => boolean) {
    const names = pending.map(({ name }) => name);
    for await (const { tenant, done } of this.members.find(names)) {
      return { schemaName: tenant.schemaName, done: (name: string) => done.includes(name) };
    }
    return { schemaName: this.options.templateSchema, done: (name: string) => !templateLacks(name) };
  }

  async #setUp(session: QueryRunner, model: string, scratch: string): Promise<void> {
    await session.query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [`${LOCK_TIMEOUT_MS}`]);
    // Before its first migration there is no template.
    if (await session.hasSchema(model)) {
      await replayBlueprint(
        session,
        await compileBlueprint(session, model, { filled: 'all', sharedSchemas: this.options.sharedSchemas }),
        scratch,
      );
    } else {
      await session.query(`CREATE SCHEMA ${quoteIdentifier(scratch)}`);
    }
    const path = [scratch, ...this.options.sharedSchemas].map(quoteIdentifier).join(', ');
    await session.query(`SELECT pg_catalog.set_config('search_path', $1, true)`, [`${path}, pg_temp`]);
  }
}

/**
 * A migration that ends the transaction would keep what was only to be tried, whether by `queryRunner` or by the client
 * below it: PostgreSQL is not asked.
 *
 * @returns what ends it
 */
async function refuseToEnd(session: QueryRunner): Promise<() => Promise<unknown>> {
  const client = (await session.connect()) as Client;
  const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const guarded = (config: string | { readonly text?: string }, ...rest: unknown[]): Promise<unknown> => {
    const text = typeof config === 'string' ? config : (config.text ?? '');
    const commands = transactionCommands(text, true);
    if (commands?.every((command) => command === undefined || command === 'begin'))
      return query(config, ...rest);
    throw new Error('it ends the transaction that it was given. Leave COMMIT and ROLLBACK to the migrator.');
  };
  client.query = guarded as Client['query'];
  return () => query('ROLLBACK');
}

const NOT_LACKED: Rehearsal = {
  sql: null,
  note: 'The tenant that was taken as a model has seen it: it is another one that lacks it.',
  problems: [],
};

const OUTSIDE: Rehearsal = {
  sql: null,
  note: 'It says transaction = false, so it cannot be tried and rolled back: read its code.',
  problems: [],
};

/** One rehearsal of several migrations. Savepoints keep each of them apart. */
class Play {
  /** Names of those that did not run on the copy, on which later ones may lean. */
  readonly #leftOut: string[] = [];

  constructor(
    private readonly session: QueryRunner,
    private readonly names: NamesElsewhere,
  ) {}

  async rehearse(named: NamedMigration): Promise<Rehearsal> {
    const { session, names } = this;
    const heard = new HeardStatements();
    if (named.migration.transaction === false) {
      this.#leftOut.push(named.name);
      await readUnsent(session, named, heard);
      return { ...OUTSIDE, problems: await names.problemsOf(session, heard) };
    }
    const sql: string[] = [];
    // Not TypeORM's own: a migration may end one of these too many, and TypeORM counts.
    await session.query('SAVEPOINT rehearsal');
    const place = await readPlace(session);
    const hearNoMore = hearStatements(session, (text, parameters) => {
      if (!NOT_TOLD.test(text)) sql.push(withParameters(text, parameters));
    });
    try {
      await runMigration(named, 'up', session, heard).finally(hearNoMore);
      requirePlace(place, await readPlace(session), heard);
      const problems = await names.problemsOf(session, heard);
      await session.query('RELEASE SAVEPOINT rehearsal');
      return { sql, problems };
    } catch (error) {
      await session.query('ROLLBACK TO SAVEPOINT rehearsal');
      const problems = await names.problemsOf(session, heard);
      const told =
        this.#leftOut.push(named.name) > 1
          ? ` (${this.#leftOut.slice(0, -1).join(', ')} did not run there)`
          : '';
      if (usesNewValue(error) && !heard.addsEnumValue) return { sql, note: NEEDS_COMMIT, problems };
      const why = error instanceof Error ? error.message : String(error);
      return { sql, problems: [`On an empty copy of the structure it fails${told}: ${why}`, ...problems] };
    }
  }
}

const NEEDS_COMMIT =
  'It uses the value that a migration before it adds to an enum. PostgreSQL wants that committed first, so the rest cannot be shown.';

/** unsafe_new_enum_value_usage */
function usesNewValue(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } };
  return cause?.code === '55P04';
}

/** What a migration would send, as far as it goes when every answer is empty. Nothing is sent. */
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
