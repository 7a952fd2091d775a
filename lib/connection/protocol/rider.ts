import type { WireConnection } from './pg-internals';

/**
 * Statements of the extended protocol that travel in front of somebody's own, as bytes. None has a name: a named one is
 * kept by the session, where a function that runs what a caller gives it could replace it, and work for whoever comes
 * next. A tenant's are made once and written as they are with each of its statements.
 */
export class Rider {
  /** How many ParseCompletes answer it. */
  readonly parses: number;
  /** How many CommandCompletes answer it. */
  readonly executions: number;
  readonly bytes: Buffer;

  /**
   * @param commands run one after the other
   * @param looks PostgreSQL reads these before, and does not run them: it may find there that something is missing
   */
  constructor(commands: readonly string[], looks: readonly string[] = []) {
    this.parses = looks.length + commands.length;
    this.executions = commands.length;
    const run = commands.flatMap((sql) => [parseMessage(sql), BIND_AND_EXECUTE]);
    this.bytes = Buffer.concat([...looks.map(parseMessage), ...run]);
  }
}

/** Of the unnamed statement. The types of parameters are left to PostgreSQL: there are none. */
function parseMessage(sql: string): Buffer {
  return message('P', [text(''), text(sql), int16(0)]);
}

/** Bind of the unnamed statement to the unnamed portal, without parameters and with results as texts; and Execute. */
const BIND_AND_EXECUTE = Buffer.concat([
  message('B', [text(''), text(''), int16(0), int16(0), int16(0)]),
  message('E', [text(''), int32(0)]),
]);

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

/**
 * The connection, except that all messages between cork and uncork leave in one piece. pg writes each message of
 * a statement by itself, and to Node six small chunks are more work than a copy of them in one.
 *
 * The connection is its prototype, so that both know the same named statements.
 */
export function gatheringMessages(connection: WireConnection): WireConnection {
  let messages: Buffer[] = [];
  const stream = {
    get writable() {
      return connection.stream.writable;
    },
    cork: () => {},
    write: (message: Buffer) => messages.push(message),
    uncork: () => {
      const group = messages;
      messages = [];
      // pg writes nothing to a lost connection, and reports the loss elsewhere.
      if (group.length > 0) connection.stream.write(Buffer.concat(group));
    },
  };
  return Object.create(connection, { stream: { value: stream } }) as WireConnection;
}
