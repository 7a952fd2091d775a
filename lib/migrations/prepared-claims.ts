import { quoteIdentifier, quoteLiteral } from '../common/sql';
import { PROBES, type Probe } from '../connection/protocol/session-checks';
import { GIVEN_PATH } from '../provisioning/template/migration-run';
import type { Claim } from './migration-ledger';

/** A claim, with what is done before it. */
export interface BegunClaim {
  readonly claim: Claim;
  /** What the transaction is told, the path among it. */
  readonly parameters: Readonly<Record<string, string>>;
  /** How the session is looked at, if it is. */
  readonly probe?: Probe;
}

/** SQL that runs a claim in one session. */
export interface PreparedClaim {
  readonly name: string;
  /** Missing when the session knows the statement. */
  readonly prepare?: string;
  readonly execute: string;
}

/** Claims as statements that sessions remember: to read and to plan one takes longer than to run it. */
export class PreparedClaims {
  /** Names that a session knows, by its connection; `undefined` for a session that has lost one, or had one already. */
  readonly #known = new WeakMap<object, Set<string> | undefined>();

  /**
   * `undefined` when it would be no faster. PostgreSQL reads a prepared statement anew where the path is another one, so it
   * is run before the path is set.
   */
  in(session: object, begun: BegunClaim): PreparedClaim | undefined {
    const { form } = begun.claim;
    if (!form.isPrepared) return undefined;
    const known = this.#knownTo(session);
    if (!known) return undefined;
    const names = Object.keys(begun.parameters);
    // The text depends on nothing else, and so may the name.
    const name = `nestjs-tenancy-claim-${begun.probe ?? 'unprobed'}-${names.length}`;
    const values = valuesOf(begun);
    return {
      name,
      prepare: known.has(name) ? undefined : prepareText(name, begun),
      execute: `EXECUTE ${quoteIdentifier(name)} (${values.map(quoteLiteral).join(', ')})`,
    };
  }

  note(session: object, { name }: PreparedClaim): void {
    this.#known.get(session)?.add(name);
  }

  /** Prepares nothing more in the session. */
  giveUp(session: object): void {
    this.#known.set(session, undefined);
  }

  #knownTo(session: object): Set<string> | undefined {
    if (!this.#known.has(session)) this.#known.set(session, new Set());
    return this.#known.get(session);
  }
}

function prepareText(name: string, begun: BegunClaim): string {
  const values = valuesOf(begun);
  const types = values.map((_, i) => begun.claim.form.types[i] ?? 'text');
  const text = textOf(
    begun,
    values.map((_, i) => `$${i + 1}`),
  );
  return `PREPARE ${quoteIdentifier(name)} (${types.join(', ')}) AS ${text}`;
}

/** As a statement with its values in it. */
export function claimText(begun: BegunClaim): string {
  const { types } = begun.claim.form;
  return textOf(
    begun,
    valuesOf(begun).map((value, i) => `${quoteLiteral(value)}::pg_catalog.${types[i] ?? 'text'}`),
  );
}

function valuesOf({ claim, parameters }: BegunClaim): string[] {
  return [...claim.values, ...Object.values(parameters)];
}

/** PostgreSQL computes columns from left to right, so the probe tells of the session as it was before. */
function textOf({ claim, parameters, probe }: BegunClaim, values: readonly string[]): string {
  const own = values.slice(claim.values.length);
  const names = Object.keys(parameters);
  const path = own[names.indexOf('search_path')];
  const calls = [...names, GIVEN_PATH].map((name, i) => {
    const value = name === GIVEN_PATH ? path : own[i];
    // Within what has an effect: PostgreSQL leaves out a column that nobody reads.
    const probed = probe && i === 0 ? `CASE ${PROBES[probe]} WHEN 1 THEN ${value} END` : value;
    return `pg_catalog.set_config(${quoteLiteral(name)}, ${probed}, true)`;
  });
  // OFFSET has PostgreSQL compute it as it stands.
  return claim.form.sql(
    values.slice(0, claim.values.length),
    `(SELECT ${calls.join(', ')} OFFSET 0) session`,
  );
}
