import { bindAndExecuteMessage, parseMessage } from './rider-message';

/** A statement of a rider. */
export interface RidingStatement {
  /** To be remembered by in the session; one text has one name. */
  readonly name: string;
  readonly sql: string;
  readonly values: readonly string[];
}

/** Statements of the extended protocol, each up to its Execute, as bytes. */
export class Rider {
  #unnamed: Buffer | undefined;
  #execute: Buffer | undefined;

  constructor(
    readonly names: readonly string[],
    private readonly statements: () => readonly RidingStatement[],
  ) {}

  /** Parse, Bind and Execute of statements that are forgotten with the next. */
  get unnamed(): Buffer {
    return (this.#unnamed ??= Buffer.concat(
      this.statements().flatMap(({ sql, values }) => [
        parseMessage('', sql),
        bindAndExecuteMessage('', values),
      ]),
    ));
  }

  /** Parse of one that the session remembers. Made anew each time: it is sent once on each connection. */
  parse(name: string): Buffer {
    return parseMessage(name, this.statements().find((each) => each.name === name)!.sql);
  }

  /** Bind and Execute of those that the session remembers. */
  get execute(): Buffer {
    return (this.#execute ??= Buffer.concat(
      this.statements().map(({ name, values }) => bindAndExecuteMessage(name, values)),
    ));
  }
}
