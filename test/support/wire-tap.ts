import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Between a client and PostgreSQL: counts what the client waits for, and can cut the line. */
export interface WireTap {
  /** The database's URL with this tap in front. */
  readonly url: string;
  /** Messages since the last `reset` that PostgreSQL answers with ReadyForQuery: Query and Sync. One is one round trip. */
  readonly roundTrips: number;
  /** The types of those and all other client messages, in order: `Q`, `P`, `B`, `D`, `E`, `S`, … */
  readonly messages: readonly string[];
  reset(): void;
  /** Resets every open connection, and refuses new ones until `restore`, or the next `refusals` of them. */
  cut(refusals?: number): void;
  restore(): void;
  /** From now on nothing passes on the connections that are open, and nobody is told: a line that broke in silence. */
  freeze(): void;
  /** From now on new connections lead to the server of this URL. */
  redirect(databaseUrl: string): void;
  close(): Promise<void>;
}

const FIRST_MESSAGE_HEADER = 4;
const MESSAGE_HEADER = 5;

export async function tapWire(databaseUrl: string): Promise<WireTap> {
  let target = new URL(databaseUrl);
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  let refusalsLeft = 0;

  const server: Server = createServer((client) => {
    if (refusalsLeft-- > 0) return void client.resetAndDestroy();
    const upstream = connect(Number(target.port || 5432), target.hostname);
    const record = messageReader((type) => messages.push(type));
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        peer.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => record(chunk));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    messages,
    get roundTrips() {
      return messages.filter((type) => type === 'Q' || type === 'S').length;
    },
    reset: () => void messages.splice(0),
    cut: (refusals = Infinity) => {
      refusalsLeft = refusals;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    restore: () => {
      refusalsLeft = 0;
    },
    freeze: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    redirect: (other) => {
      target = new URL(other);
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Calls back with the type of each message a client sends. Its first message has no type: start-up. */
function messageReader(onMessage: (type: string) => void): (chunk: Buffer) => void {
  let buffered: Buffer = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const header = started ? MESSAGE_HEADER : FIRST_MESSAGE_HEADER;
      if (buffered.length < header) return;
      const length = buffered.readUInt32BE(header - 4) + (started ? 1 : 0);
      if (buffered.length < length) return;
      if (started) onMessage(String.fromCharCode(buffered[0]));
      started = true;
      buffered = buffered.subarray(length);
    }
  };
}
