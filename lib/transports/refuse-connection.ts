import { clientAnswer, isCallersFault } from '../resolution/http/client-answer';

/** RFC 6455, 7.4.1. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;

/** RFC 6455, 5.5: the status code and the reason share 125 bytes. A character has at most three bytes. */
const MAX_REASON_LENGTH = 41;

interface SocketIoClient {
  emit(event: string, payload: unknown): unknown;
  disconnect(closeConnection: true): unknown;
}

interface WsClient {
  close(statusCode: number, reason: string): void;
}

/**
 * Closes a connection and tells the client why. A client of socket.io gets an event `exception` with `{ code, message
 * }`. One of `ws` gets the status 1008, or 1011 when it is not the client's fault, with the error's code as the reason.
 */
export function refuseConnection(client: object, error: unknown): void {
  const answer = clientAnswer(error);
  if (isSocketIo(client)) {
    client.emit('exception', answer);
    client.disconnect(true);
  } else {
    const status = isCallersFault(error) ? POLICY_VIOLATION : INTERNAL_ERROR;
    (client as WsClient).close(status, answer.code.slice(0, MAX_REASON_LENGTH));
  }
}

function isSocketIo(client: object): client is SocketIoClient {
  return 'disconnect' in client && typeof client.disconnect === 'function';
}
