import type { WireConnection } from './pg-internals';

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
