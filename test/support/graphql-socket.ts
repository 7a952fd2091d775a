import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';

export interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** A client of the protocol graphql-transport-ws. */
export class GraphqlSocket {
  readonly received: Message[] = [];
  readonly closed: Promise<string>;
  #arrived = new EventEmitter().setMaxListeners(0);
  #id = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (text: Buffer) => {
      this.received.push(JSON.parse(text.toString()) as Message);
      this.#arrived.emit('message');
    });
    this.closed = once(socket, 'close').then(([code, reason]) => {
      this.#arrived.emit('message');
      return `${code} ${String(reason)}`;
    });
  }

  static async open(
    url: string,
    { headers = {}, payload }: { headers?: Record<string, string>; payload?: object } = {},
  ): Promise<GraphqlSocket> {
    const address = `${url.replace('http', 'ws')}/graphql`;
    const socket = new WebSocket(address, 'graphql-transport-ws', { headers });
    const client = new GraphqlSocket(socket);
    await once(socket, 'open');
    client.init({ payload });
    await client.until(({ type }) => type === 'connection_ack');
    return client;
  }

  init({ payload }: { payload?: object }): void {
    this.#send({ type: 'connection_init', payload });
  }

  /** Sends an operation, and gives its id. */
  ask(query: string): string {
    const id = String(++this.#id);
    this.#send({ id, type: 'subscribe', payload: { query } });
    return id;
  }

  /** The first message of this kind, now or later; `undefined` when the socket was closed first. */
  async until(accepts: (message: Message) => boolean): Promise<Message | undefined> {
    for (;;) {
      const found = this.received.find(accepts);
      if (found || this.socket.readyState === WebSocket.CLOSED) return found;
      await once(this.#arrived, 'message');
    }
  }

  async answer(query: string): Promise<unknown> {
    const id = this.ask(query);
    const found = await this.until((message) => message.id === id && message.type !== 'complete');
    return found?.payload;
  }

  close(): Promise<string> {
    this.socket.terminate();
    return this.closed;
  }

  #send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }
}
