import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { HttpHammer } from './http-hammer';
import { runIsolationHammer } from './isolation-hammer';

/** Longer than any client waits that hangs up. */
const ANSWER_MS = 20;

describe('HttpHammer', () => {
  let server: Server;
  let client: HttpHammer;

  beforeAll(async () => {
    server = createServer((_, response) => setTimeout(() => response.end('{}'), ANSWER_MS));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = new HttpHammer({
      urls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
      headersOf: () => ({}),
      hangUpRate: 1,
    });
  });

  afterAll(async () => {
    client.close();
    server.close();
    await once(server, 'close');
  });

  it('hangs up on operations, and never on what prepares', async () => {
    const create = client.write(({ stamp }) => ({ method: 'POST', path: '/orders', body: { stamp } }));
    const kept = new Map<string, string[]>();
    const answers: string[] = [];
    const report = await runIsolationHammer({
      tenants: ['acme', 'globex'],
      operations: 10,
      kinds: {
        create: (call) =>
          create(call).then(
            () => answers.push('answered'),
            (error: Error) => answers.push(error.message),
          ),
      },
      prepare: async (call) => {
        await create(call);
        kept.set(call.tenant, [call.stamp]);
      },
      readAll: (tenant) => Promise.resolve(kept.get(tenant)),
    });
    expect(report).toMatchObject({ rowsChecked: 2, lostWrites: 0, findings: [] });
    expect(answers).toEqual(Array(10).fill('hung up on purpose'));
  });
});
