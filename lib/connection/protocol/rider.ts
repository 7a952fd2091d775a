import type { WireConnection } from './pg-internals';

/**
 * What a CommandComplete answers: what we sent along (`emptying`: a command that empties the session, `emptied`: the last
 * of these; `check`: what looks for the tenant's schema; `unread`: what code of this
 * package has put into a text, and reads nothing of), or the caller's own.
 */
export type Answered = 'emptying' | 'emptied' | 'parameter' | 'check' | 'unread' | 'own';

/**
 * Statements of the extended protocol that travel in front of somebody's own, as bytes. None has a name: a named one is
 * kept by the session, where a function that runs what a caller gives it could replace it, and work for whoever comes
 * next. A tenant's are made once and written as they are with each of its statements.
 */
export class Rider {
  private constructor(
    readonly bytes: Buffer,
    /** How many ParseCompletes answer it. */
    readonly parses: number,
    /** What each CommandComplete answers that will come. */
    readonly answers: readonly Answered[],
  ) {}

  /**
   * @param commands run one after the other, each with what its CommandComplete answers
   * @param schemaName the first is not run unless this schema is there. It is given a parameter of the type regnamespace,
   *   of which it makes no use, but whose value PostgreSQL looks for before
   */
  static of(commands: readonly string[], answers: readonly Answered[], schemaName?: string): Rider {
    const messages = commands.flatMap((sql, index) =>
      index === 0 && schemaName !== undefined
        ? [parseMessage(sql, [REGNAMESPACE]), bindMessage([schemaName]), EXECUTE]
        : [parseMessage(sql), BIND, EXECUTE],
    );
    return new Rider(inOwnMemory(Buffer.concat(messages)), commands.length, answers);
  }

  /** Both, this one first. */
  before(other: Rider): Rider {
    return new Rider(inOwnMemory(Buffer.concat([this.bytes, other.bytes])), this.parses + other.parses, [
      ...this.answers,
      ...other.answers,
    ]);
  }
}

/** A small Buffer is a part of eight kilobytes, all of which are kept as long as it is. */
function inOwnMemory(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}

/** The type's number, which is the same on every server. */
const REGNAMESPACE = 4089;

/** Of the unnamed statement, with the types of its parameters. */
function parseMessage(sql: string, types: readonly number[] = []): Buffer {
  return message('P', [text(''), text(sql), int16(types.length), ...types.map(int32)]);
}

/** Of the unnamed statement to the unnamed portal, with parameters and results as texts. */
function bindMessage(values: readonly string[] = []): Buffer {
  const parameters = values
    .map((value) => Buffer.from(value))
    .flatMap((value) => [int32(value.length), value]);
  return message('B', [text(''), text(''), int16(0), int16(values.length), ...parameters, int16(0)]);
}

const BIND = bindMessage();
const EXECUTE = message('E', [text(''), int32(0)]);

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
