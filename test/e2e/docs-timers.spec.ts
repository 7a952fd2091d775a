import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TenantProvisioner } from '../../lib';
import { TenantTimers } from '../../lib/schedule';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';

describe('docs/timers.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/timers.md');
    database = await createTestDatabase();
    process.env.DATABASE_URL = database.url;
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
    examples?.remove();
  });

  async function start() {
    const { TimedAppModule } = await examples.import('timed-app.module.ts');
    const { TimersController } = await examples.import('timers.controller.ts');
    const module = { imports: [TimedAppModule], controllers: [TimersController] };
    const testing = await Test.createTestingModule(module).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
  }

  it('remind every tenant, make up for what was missed, and tell what failed', async () => {
    const { Reminders } = await examples.import('reminders.service.ts');
    const { ended } = await examples.import('timed-app.module.ts');
    const { OrdersService } = await examples.import('orders.service.ts');
    await start();
    for (const slug of ['acme', 'globex']) await app.get(TenantProvisioner).create({ slug });
    while ((await app.get(TenantTimers).list()).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await app.close();
    await database.query(`UPDATE tenancy.timers SET decided_until = decided_until - interval '3 days'`);
    const list = jest.spyOn(OrdersService.prototype, 'list').mockImplementation(function () {
      return list.mock.calls.length > 1
        ? Promise.reject(new Error('on purpose'))
        : Promise.resolve([{ id: 7 }]);
    });
    await start();
    while (ended.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(app.get(Reminders, { strict: false }).sent).toEqual(['acme 7']);
    const told = await (await fetch(new URL('/timers', await app.getUrl()))).json();
    expect(told).toMatchObject([
      {
        name: 'reminders',
        lastRun: {
          state: 'done',
          visited: 2,
          failed: 1,
          failures: [{ slug: 'globex', error: 'on purpose' }],
        },
      },
    ]);
  });
});
