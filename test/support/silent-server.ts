import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** ReadyForQuery outside of a transaction: the login is over. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1');

export interface SilentServer {
  /** The database's URL, with this server in front. */
  readonly url: string;
  close(): Promise<void>;
}

/** Lets clients log in to PostgreSQL, and answers nothing after that: a server that hangs, behind a line that is whole. */
export async function startSilentServer(databaseUrl: string): Promise<SilentServer> {
  const url = new URL(databaseUrl);
  const target = { port: Number(url.port || 5432), host: url.hostname };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target);
    let isLoggedIn = false;
    client.on('data', (chunk) => void (isLoggedIn || upstream.write(chunk)));
    upstream.on('data', (chunk: Buffer) => {
      client.write(chunk);
      isLoggedIn ||= chunk.includes(READY);
    });
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(socket);
      socket.on('error', () => peer.destroy()).on('close', () => peer.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
