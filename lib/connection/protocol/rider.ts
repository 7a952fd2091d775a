/** A statement of a rider. */
export interface RidingStatement {
  /** The name under which the session prepares it. One text has one name. */
  readonly name: string;
  readonly sql: string;
  readonly values: readonly string[];
}

/**
 * Statements of the extended protocol, each up to its Execute, as bytes. A tenant's are made once and written as they are
 * with each of its statements.
 */
export class Rider {
  #unnamed: Buffer | undefined;
  #execute: Buffer | undefined;

  constructor(
    readonly names: readonly string[],
    private readonly statements: () => readonly RidingStatement[],
  ) {}

  /** Parse, Bind and Execute of unnamed statements: the session keeps each only until the next. */
  get unnamed(): Buffer {
    return (this.#unnamed ??= Buffer.concat(
      this.statements().flatMap(({ sql, values }) => [
        parseMessage('', sql),
        bindAndExecuteMessage('', values),
      ]),
    ));
  }

  /** Parse of the named statements. Made anew each time, because it is sent only once on each connection. */
  parse(name: string): Buffer {
    return parseMessage(name, this.statements().find((each) => each.name === name)!.sql);
  }

  /** Bind and Execute of the named statements. */
  get execute(): Buffer {
    return (this.#execute ??= Buffer.concat(
      this.statements().map(({ name, values }) => bindAndExecuteMessage(name, values)),
    ));
  }
}

/** `statement` is the name to remember it by in the session, or empty: then it is forgotten with the next. */
function parseMessage(statement: string, sql: string): Buffer {
  return message('P', [text(statement), text(sql), int16(0)]);
}

/** Bind to the unnamed portal, and Execute. Values and results are texts. */
function bindAndExecuteMessage(statement: string, values: readonly string[]): Buffer {
  const parameters = values.flatMap((value) => {
    const bytes = Buffer.from(value);
    return [int32(bytes.length), bytes];
  });
  const bind = [text(''), text(statement), int16(0), int16(values.length), ...parameters, int16(0)];
  return Buffer.concat([message('B', bind), message('E', [text(''), int32(0)])]);
}

/** Type, length of what follows and of itself, and what follows. */
function message(type: string, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

/** PostgreSQL's strings end at the first NUL: one inside would cut a message in two. */
function text(value: string): Buffer {
  if (value.includes('\0')) throw new RangeError('A protocol string cannot hold a NUL character.');
  return Buffer.from(`${value}\0`);
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}
