import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { Controller, Get } from '@nestjs/common';
import { TenancyModule } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { SeededRandom } from '../../lib/testing/hammer/seeded-random';
import { mannWhitney } from '../support/mann-whitney';
import { notesOptions } from '../support/notes';
import { ANY_ADAPTER } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

@Controller()
class AnyController {
  @Get()
  any() {
    return {};
  }
}

interface Answer {
  readonly status?: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly ms: number;
}

/** Names of nobody, all of one length: only the kind differs. */
const KINDS = {
  unknown: (index: number) => `nobody-${index}`,
  malformed: (index: number) => `Nobody_${index}`,
  purged: (index: number) => `purged-${index}`,
};
type Kind = keyof typeof KINDS;
const KIND_NAMES = Object.keys(KINDS) as Kind[];

/** Above every index has four digits. */
const FIRST = 1_000;
const COLD_ROUNDS = 80;
const WARM_ROUNDS = 400;

/**
 * Equal distributions exceed it in one of 1.7 million comparisons. With 80 samples a kind, names that are answered without a
 * question to the database come out at 10 and more.
 */
const LIMIT = 5;

describe.each(ANY_ADAPTER)('Whoever asks for tenants on %s', (_name, adapter) => {
  let database: TestDatabase;
  let test: TestApp;
  let agent: Agent;

  beforeAll(async () => {
    database = await createTestDatabase();
    test = await startTestApp(
      {
        imports: [TenancyModule.forRoot(notesOptions(database, { cache: { maxEntries: 100_000 } }))],
        controllers: [AnyController],
      },
      { adapter: adapter() },
    );
    await test.create({ slug: 'acme' });
    agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await database.query(
      `INSERT INTO tenancy.tenants (id, slug, name, schema_name, status)
       SELECT gen_random_uuid(), 'purged-' || i, 'x', 't_purged' || i, 'purged' FROM generate_series(1000, 1999) i`,
    );
    for (let index = 0; index < 200; index += 1) await ask('acme');
  });
  afterAll(async () => {
    agent?.destroy();
    await test?.close();
    await database?.drop();
  });

  function ask(tenant: string): Promise<Answer> {
    const start = performance.now();
    return new Promise((resolve, reject) => {
      request(test.url, { agent, headers: { 'x-tenant-id': tenant } }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => {
          const { date, ...headers } = response.headers;
          resolve({ status: response.statusCode, headers, body, ms: performance.now() - start });
        });
      })
        .on('error', reject)
        .end();
    });
  }

  /** Asks for one name of each kind a round, in an order of chance, so that no kind has the better moments. */
  async function timesOf(rounds: number, nameOf: (kind: Kind, round: number) => string) {
    const random = new SeededRandom(1);
    const times: Record<Kind, number[]> = { unknown: [], malformed: [], purged: [] };
    for (let round = 0; round < rounds; round += 1) {
      const order = KIND_NAMES.map((kind) => ({ kind, at: random.next() })).sort((a, b) => a.at - b.at);
      for (const { kind } of order) {
        const { status, ms } = await ask(nameOf(kind, round));
        expect(status).toBe(404);
        times[kind].push(ms);
      }
    }
    return times;
  }

  function expectAlike(times: Record<Kind, number[]>) {
    expect(Math.abs(mannWhitney(times.unknown, times.malformed))).toBeLessThan(LIMIT);
    expect(Math.abs(mannWhitney(times.unknown, times.purged))).toBeLessThan(LIMIT);
    expect(Math.abs(mannWhitney(times.malformed, times.purged))).toBeLessThan(LIMIT);
  }

  it('gets one answer for an unknown, a malformed and a purged name: status, headers and body', async () => {
    const [{ id }] = await database.query<{ id: string }>(
      `SELECT id FROM tenancy.tenants WHERE status = 'purged' LIMIT 1`,
    );
    const names = [
      'nobody',
      'purged-1999',
      'Nobody',
      "o'neil",
      '',
      'a'.repeat(4_000),
      'xn--nobody',
      '..',
      id,
    ];
    const answers = await Promise.all([...names, randomUUID()].map(ask));
    const [{ ms: _, ...first }] = answers;
    expect(first).toMatchObject({ status: 404, body: expect.stringContaining('"TENANT_NOT_FOUND"') });
    for (const answer of answers) expect(answer).toMatchObject(first);
    for (const { headers } of answers) expect(Object.keys(headers)).toEqual(Object.keys(first.headers));
  });

  it('cannot tell them by the time when they are asked for the first time', async () => {
    expectAlike(await timesOf(COLD_ROUNDS, (kind, round) => KINDS[kind](FIRST + round)));
  });

  it('cannot tell them by the time when they are asked for again', async () => {
    const nameOf = (kind: Kind, round: number) => KINDS[kind](FIRST + 900 + (round % 5));
    expectAlike(await timesOf(WARM_ROUNDS, nameOf));
  });

  it('learns by the time only what is remembered: the test can tell', async () => {
    const nameOf = (kind: Kind, round: number) =>
      KINDS[kind](FIRST + (kind === 'malformed' ? 900 : 500 + round));
    const { malformed, unknown } = await timesOf(COLD_ROUNDS, nameOf);
    expect(mannWhitney(unknown, malformed)).toBeGreaterThan(LIMIT);
  });
});
