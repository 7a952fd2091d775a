import { type AddressInfo, createServer, type Server } from 'node:net';
import { driverThatEndsSilence } from './silence';

/** A message of PostgreSQL's protocol. */
function message(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + body.length);
  return Buffer.concat([Buffer.from(type), length, body]);
}

const WELCOME = [message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))];
const FAREWELL = message(
  'E',
  Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'),
);

describe('A pool of the pg that TypeORM is given', () => {
  let server: Server;

  /** Ends each session in the packet that opens it, as PostgreSQL's own arrive together on a busy machine. */
  beforeEach(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.concat([...WELCOME, FAREWELL])));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it('outlives a session that is ended as soon as it is open, and tells who uses it', async () => {
    const { Pool } = driverThatEndsSilence(undefined);
    const pool = new Pool({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    const client = await pool.connect();
    await expect(client.query('SELECT 1')).rejects.toThrow('connection');
    client.release();
    await pool.end();
  });
});
