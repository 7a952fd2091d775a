import { createServer, connect, type Server, type Socket } from 'node:net';
import type { ModuleMetadata } from '@nestjs/common';
import type { TenancyOptions } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { type ProvisioningApp, startProvisioningApp } from '../provisioning/app';

/** A way to a database that can be cut, and mended. */
export interface Way {
  readonly url: string;
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** From now on new connections are to another database of the same PostgreSQL, whatever they ask for. */
  leadTo(other: TestDatabase): void;
}

/** An application on one server, and another one, `eu`, which is a database of the same PostgreSQL. */
export interface World extends ProvisioningApp {
  readonly eu: TestDatabase;
  readonly way: Way;
}

export async function startWorld(
  changes: Partial<TenancyOptions> = {},
  before: (eu: TestDatabase, way: Way) => Promise<void> = () => Promise.resolve(),
  metadata: ModuleMetadata = {},
): Promise<World> {
  const eu = await createTestDatabase();
  const way = await startWay(eu);
  await before(eu, way);
  try {
    const app = await startProvisioningApp({ servers: { eu: { url: way.url } }, ...changes }, metadata);
    const close = async () => {
      await app.close();
      await way.cut();
      await eu.drop();
    };
    return { ...app, eu, way, close };
  } catch (error) {
    await way.cut();
    await eu.drop();
    throw error;
  }
}

/** Tables that say something only where the registry is. */
const OF_REGISTRY = [
  'tenants',
  'tenant_domains',
  'tenant_event_outbox',
  'purges',
  'migration_runs',
  'servers',
];

/** Fails when something is in `eu` that belongs into the registry. */
export async function expectNothingOfRegistry({ eu }: World): Promise<void> {
  for (const table of OF_REGISTRY)
    expect([table, await eu.query(`SELECT * FROM tenancy.${table}`)]).toEqual([table, []]);
}

export async function startWay({ url }: TestDatabase): Promise<Way> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const nameOf = (database: Pick<TestDatabase, 'url'>) => new URL(database.url).pathname.slice(1);
  let led = nameOf({ url });
  /** The start-up message has the name. All are equally long. */
  const rename = (message: Buffer) =>
    Buffer.from(message.toString('latin1').replace(nameOf({ url }), led), 'latin1');
  const pass = (socket: Socket) => {
    const server = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [socket, server],
      [server, socket],
    ]) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => (sockets.delete(one), other.destroy()));
    }
    server.pipe(socket);
    socket.once('data', (message: Buffer) => (server.write(rename(message)), socket.pipe(server)));
  };
  let server: Server | undefined = createServer(pass);
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server!.on('error', reject).listen(port, '127.0.0.1', () => {
        resolve((server!.address() as { port: number }).port);
      });
    });
  const port = await listen(0);
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(port);
  return {
    url: through.href,
    cut: async () => {
      const closed = server && new Promise((resolve) => server!.close(resolve));
      server = undefined;
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    leadTo: (other) => void (led = nameOf(other)),
    mend: async () => {
      server = createServer(pass);
      await listen(port);
    },
  };
}
