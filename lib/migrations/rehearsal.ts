import { Inject, Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import type { QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { transactionCommands } from '../connection/protocol/transaction-text';
import { TenantContext } from '../context/tenant-context';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { OwnSessions } from '../connection/typeorm/own-sessions';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { pendingOf, type SharedSurvey } from '../provisioning/template/shared-migrator';
import { type Blueprint, compileBlueprint } from '../schema/blueprint';
import { replayBlueprint } from '../schema/clone';
import { generateSchemaName } from '../registry/schema-name';
import { DEFAULT_SERVER } from '../placement/place';
import { FleetMembers } from './fleet-members';
import type { Rehearsal } from './migration-plan';
import { NamesElsewhere } from './names-elsewhere';
import { Play } from './rehearsal-play';
import { replaceByCopies } from './shared-copies';

/** How long a rehearsal waits for a lock: a foreign key briefly locks tables of shared schemas. */
const LOCK_TIMEOUT_MS = 5_000;

/**
 * Runs migrations on an empty copy of a schema that lacks them, in a transaction that is rolled back, so that their SQL
 * can be read before they are run. Tenants' tables are only locked for reading their definitions.
 */
@Injectable()
export class RehearsalStage {
  constructor(
    private readonly sessions: OwnSessions,
    private readonly context: TenantContext,
    private readonly members: FleetMembers,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * The rehearsals by name, for shared schemas by `schema: name`. Migrations that the copied schema already has, and
   * those that cannot be shown, have a note that says so.
   */
  async run(
    pending: readonly NamedMigration[],
    shared: readonly SharedSurvey[],
    templateLacks: (name: string) => boolean,
  ): Promise<Map<string, Rehearsal>> {
    const lacking = shared.filter((each) => pendingOf(each).length > 0);
    if (pending.length + lacking.length === 0) return new Map();
    const { schemaName, done } = await this.#chooseModel(pending, templateLacks);
    const scratch = generateSchemaName();
    const rehearse = () =>
      this.sessions.run(
        async (session) => {
          await session.startTransaction('READ COMMITTED');
          const rollBack = await refuseToEnd(session);
          await session.query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [
            `${LOCK_TIMEOUT_MS}`,
          ]);
          // Compiled before shared schemas are replaced, so that it refers to them by their names.
          const model = pending.length > 0 ? await this.#compile(session, schemaName) : undefined;
          const play = new Play(session);
          const told = await this.#rehearseShared(session, play, lacking);
          await this.#setUp(session, model, scratch);
          const names = await NamesElsewhere.read(session, scratch, this.options.sharedSchemas);
          for (const each of pending) {
            told.set(each.name, done(each.name) ? NOT_LACKED : await play.rehearse(each, names));
          }
          await rollBack();
          return told;
        },
        { isRequired: false },
      );
    // On the registry's server, for all.
    return this.context.runInSchema(scratch, rehearse, DEFAULT_SERVER);
  }

  async #rehearseShared(
    session: QueryRunner,
    play: Play,
    lacking: readonly SharedSurvey[],
  ): Promise<Map<string, Rehearsal>> {
    const told = new Map<string, Rehearsal>();
    const copies = await replaceByCopies(
      session,
      lacking.map(({ schema }) => schema),
      this.options.sharedSchemas,
    );
    for (const survey of lacking) {
      const obstacle = copies.get(survey.schema);
      await this.#setPath(session, survey.schema);
      for (const named of pendingOf(survey)) {
        if (obstacle !== undefined) play.leaveOut(named);
        told.set(
          `${survey.schema}: ${named.name}`,
          obstacle === undefined
            ? await play.rehearseShared(survey.schema, named)
            : { sql: null, note: `${NOT_COPIED} ${obstacle}`, problems: [] },
        );
      }
    }
    return told;
  }

  /** A tenant that lacks one of the migrations, else the template. */
  async #chooseModel(pending: readonly NamedMigration[], templateLacks: (name: string) => boolean) {
    const names = pending.map(({ name }) => name);
    for await (const { tenant, done } of this.members.find(names)) {
      return { schemaName: tenant.schemaName, done: (name: string) => done.includes(name) };
    }
    return { schemaName: this.options.templateSchema, done: (name: string) => !templateLacks(name) };
  }

  /** `undefined` before the first migration, when there is no template yet. */
  async #compile(session: QueryRunner, schemaName: string): Promise<Blueprint | undefined> {
    if (!(await session.hasSchema(schemaName))) return undefined;
    const { sharedSchemas } = this.options;
    return compileBlueprint(session, schemaName, { filled: 'all', sharedSchemas });
  }

  async #setUp(session: QueryRunner, model: Blueprint | undefined, scratch: string): Promise<void> {
    if (model) await replayBlueprint(session, model, scratch);
    else await session.query(`CREATE SCHEMA ${quoteIdentifier(scratch)}`);
    await this.#setPath(session, scratch);
  }

  async #setPath(session: QueryRunner, first: string): Promise<void> {
    const path = [first, ...this.options.sharedSchemas].map(quoteIdentifier).join(', ');
    await session.query(`SELECT pg_catalog.set_config('search_path', $1, true)`, [`${path}, pg_temp`]);
  }
}

/**
 * Makes statements that end the transaction fail, on `queryRunner` and on the client below it, without asking
 * PostgreSQL: a migration with such a statement would keep its changes.
 *
 * @returns a function that ends the transaction
 */
async function refuseToEnd(session: QueryRunner): Promise<() => Promise<unknown>> {
  const client = (await session.connect()) as Client;
  const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const guarded = (config: string | { readonly text?: string }, ...rest: unknown[]): Promise<unknown> => {
    const text = typeof config === 'string' ? config : (config.text ?? '');
    const commands = transactionCommands(text, true);
    if (commands?.every((command) => command === undefined || command === 'begin'))
      return query(config, ...rest);
    throw new Error('it ends the transaction in which it runs. Leave COMMIT and ROLLBACK to the migrator.');
  };
  client.query = guarded as Client['query'];
  return () => query('ROLLBACK');
}

const NOT_LACKED: Rehearsal = {
  sql: null,
  note: 'The tenant whose structure was copied already has it; other tenants lack it.',
  problems: [],
};

const NOT_COPIED = 'It cannot be tried on a copy of the shared schema, so read its code:';
