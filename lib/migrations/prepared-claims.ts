import { quoteIdentifier, quoteLiteral } from '../common/sql';
import { GIVEN_PATH } from '../provisioning/template/migration-run';
import type { Parameters } from './lane-message';
import type { Claim } from './migration-ledger';

/** What a transaction begins with. */
export interface Beginning {
  /** Fails when there is nothing to run: then nothing behind it in the message runs either. */
  readonly claim: Claim;
  /** For the transaction, beside those of the tenant. */
  readonly settings: Parameters;
}

/** A claim, with the parameters that are set right before it. */
export interface BegunClaim {
  readonly claim: Claim;
  /** Of the transaction, by name. The path is one of them. */
  readonly parameters: Parameters;
}

/** @param own the tenant's parameters */
export function begunWith({ claim, settings }: Beginning, own: Parameters): BegunClaim {
  return { claim, parameters: { ...own, ...settings } };
}

/** SQL that runs a claim in one session. */
export interface PreparedClaim {
  readonly name: string;
  /** Gives what is to be run first, unless the session has the statement already. */
  readonly prepare?: () => string;
  readonly execute: string;
}

/** The statements that a lane has prepared in a session; `undefined` when it has given that up. */
interface Known {
  readonly visit: number;
  readonly names: Set<string> | undefined;
}

/**
 * Claims as statements that sessions remember: to read and to plan one takes longer than to run it.
 *
 * They are run by name only as long as a lane goes from tenant to tenant on the connection. In between it works for others,
 * whose functions could put another statement in the place of one. So the names of each visit are new.
 */
export class PreparedClaims {
  #visits = 0;
  readonly #known = new WeakMap<object, Known>();

  /** A lane comes to the session. What it knows from before is not used again. */
  visit(session: object): void {
    this.#known.set(session, { visit: ++this.#visits, names: new Set() });
  }

  /**
   * `undefined` when it would be no faster. PostgreSQL reads a prepared statement anew where the path is another one, so it
   * is run before the path is set.
   */
  in(session: object, begun: BegunClaim): PreparedClaim | undefined {
    const { form } = begun.claim;
    const known = this.#known.get(session);
    if (!form.isPrepared || !known?.names) return undefined;
    const count = Object.keys(begun.parameters).length;
    // The text depends on nothing else, and so may the name.
    const name = `nestjs-tenancy-claim-${known.visit}-${count}`;
    const values = valuesOf(begun);
    return {
      name,
      prepare: known.names.has(name) ? undefined : () => prepareText(name, begun),
      execute: `EXECUTE ${quoteIdentifier(name)} (${values.map(quoteLiteral).join(', ')})`,
    };
  }

  note(session: object, { name }: PreparedClaim): void {
    this.#known.get(session)?.names?.add(name);
  }

  /** Prepares nothing more in the session, for as long as the lane is there. */
  giveUp(session: object): void {
    this.#known.set(session, { visit: this.#visits, names: undefined });
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

function textOf({ claim, parameters }: BegunClaim, values: readonly string[]): string {
  const own = values.slice(claim.values.length);
  const names = Object.keys(parameters);
  const path = own[names.indexOf('search_path')];
  const calls = [...names, GIVEN_PATH].map((name, i) => {
    const value = name === GIVEN_PATH ? path : own[i];
    return `pg_catalog.set_config(${quoteLiteral(name)}, ${value}, true)`;
  });
  // OFFSET has PostgreSQL compute it as it stands.
  return claim.form.sql(
    values.slice(0, claim.values.length),
    `(SELECT ${calls.join(', ')} OFFSET 0) session`,
  );
}
