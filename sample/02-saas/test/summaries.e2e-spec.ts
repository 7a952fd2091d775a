import { SummariesJob } from '../src/summaries/summaries.job';
import { RunningApp } from './running-app';

describe('the nightly job', () => {
  let running: RunningApp;

  beforeAll(async () => {
    running = await RunningApp.start();
  });
  afterAll(() => running.close());

  it('counts the orders of each tenant, once however often it runs', async () => {
    const [acme, globex] = [await running.makeTenant(), await running.makeTenant()];
    for (const description of ['tea', 'glue'])
      await running.ask('POST /orders', { key: acme.key, body: { description } }).expect(201);
    const today = new Date();
    for (const _instance of ['one', 'another']) await running.app.get(SummariesJob).summarize(today);
    const day = today.toISOString().slice(0, 10);
    await running.ask('GET /summaries', { key: acme.key }).expect(200, [{ day, orders: 2 }]);
    await running.ask('GET /summaries', { key: globex.key }).expect(200, [{ day, orders: 0 }]);
  });
});
