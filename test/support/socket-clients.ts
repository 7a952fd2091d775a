import { once } from 'node:events';
import type { INestApplication, WebSocketAdapter } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { BaseWsExceptionFilter } from '@nestjs/websockets';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

export interface Handshake {
  /** A repeated header is a list. */
  readonly headers?: Record<string, string | string[]>;
  readonly query?: Record<string, string>;
}

/** How the server ended a connection. */
export interface Refusal {
  /** The status of the close frame; socket.io has none. */
  readonly status?: number;
  readonly code?: string;
  /** Only socket.io has room for one. */
  readonly message?: string;
}

/** A client of a gateway. It numbers its messages, and handlers answer with `{ event, data: { n, … } }`. */
export interface SocketClient {
  send(event: string, data?: object): void;
  /** The first answer, or the first `count` of them, without their number. An event `exception` rejects. */
  ask(event: string, data?: object): Promise<unknown>;
  answers(event: string, count: number): Promise<unknown[]>;
  /** Comes when the server ends the connection. */
  readonly refusal: Promise<Refusal>;
  /** Leaves without a good-bye. */
  drop(): void;
  /** Hears nothing any more, of an end neither; `ws` alone can. */
  deafen?(): void;
}

export interface SocketKind {
  readonly name: string;
  /** Whether Nest tells a client that a handler failed: 11 does not on `ws`. */
  readonly tellsErrors: boolean;
  adapter(app: INestApplication): WebSocketAdapter;
  /** Resolves when the connection is open, or was refused. */
  connect(url: string, path: string, handshake?: Handshake): Promise<SocketClient>;
}

interface Message {
  readonly n?: number;
}

/** Hands what comes in to who waits for it. */
class Letters {
  #last = 0;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #failing = new Set<(message: Message) => void>();

  receive(event: string, message: Message): void {
    if (event === 'exception') this.#failing.forEach((fail) => fail(message));
    else this.#waiting.get(message.n ?? 0)?.(message);
  }

  collect(count: number, send: (n: number) => void): Promise<unknown[]> {
    const n = ++this.#last;
    return new Promise((resolve, reject) => {
      const answers: unknown[] = [];
      this.#failing.add(reject);
      this.#waiting.set(n, ({ n: _n, ...answer }) => {
        if (answers.push(answer) < count) return;
        this.#failing.delete(reject);
        resolve(answers);
      });
      send(n);
    });
  }
}

function socketClient(
  letters: Letters,
  send: (event: string, data: object) => void,
  rest: Pick<SocketClient, 'refusal' | 'drop' | 'deafen'>,
): SocketClient {
  return {
    send: (event, data = {}) => send(event, data),
    ask: async (event, data = {}) => (await letters.collect(1, (n) => send(event, { ...data, n })))[0],
    answers: (event, count) => letters.collect(count, (n) => send(event, { n })),
    ...rest,
  };
}

const search = (query: Handshake['query'] = {}) => `?${new URLSearchParams(query).toString()}`;

const ws: SocketKind = {
  name: 'ws',
  tellsErrors: 'emitMessage' in BaseWsExceptionFilter.prototype,
  adapter: (app) => new WsAdapter(app),
  connect: async (url, path, { headers, query } = {}) => {
    const socket = new WebSocket(url.replace('http', 'ws') + path + search(query), { headers });
    const letters = new Letters();
    socket.on('message', (text: Buffer) => {
      const { event, data } = JSON.parse(text.toString()) as { event: string; data: Message };
      letters.receive(event, data);
    });
    const refusal = new Promise<Refusal>((resolve) =>
      socket.once('close', (status, reason) => resolve({ status, code: reason.toString() })),
    );
    await once(socket, 'open');
    return socketClient(letters, (event, data) => socket.send(JSON.stringify({ event, data })), {
      refusal,
      drop: () => socket.terminate(),
      deafen: () => socket.pause(),
    });
  },
};

const socketIo: SocketKind = {
  name: 'socket.io',
  tellsErrors: true,
  adapter: (app) => new IoAdapter(app),
  connect: async (url, path, { headers, query } = {}) => {
    const socket = io(url, {
      path,
      query,
      extraHeaders: headers as Record<string, string>,
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
    });
    const letters = new Letters();
    let exception: Refusal = {};
    socket.onAny((event: string, message: Message) => {
      if (event === 'exception') exception = message as Refusal;
      letters.receive(event, message);
    });
    const refusal = new Promise<Refusal>((resolve) => socket.once('disconnect', () => resolve(exception)));
    await new Promise<void>((resolve, reject) =>
      socket.once('connect', resolve).once('connect_error', reject),
    );
    return socketClient(letters, (event, data) => socket.emit(event, data), {
      refusal,
      drop: () => socket.io.engine.close(),
    });
  },
};

export const SOCKET_KINDS = [ws, socketIo];
