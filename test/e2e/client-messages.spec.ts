import { Controller, Get } from '@nestjs/common';
import { TenancyModule, TenantConnection, TenantFree } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

@Controller()
class ForgetfulController {
  constructor(private readonly connection: TenantConnection) {}

  @Get('forgetful')
  @TenantFree()
  read() {
    return this.connection.query('SELECT 1');
  }
}

describe.each(ADAPTERS)('A mistake in the application, on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startTestApp(
      { imports: [TenancyModule.forRoot(notesOptions(database))], controllers: [ForgetfulController] },
      { adapter: adapter() },
    );
  });
  afterAll(async () => {
    await running.close();
    await database.drop();
  });

  it('is a code for its clients, and a remedy in the log', async () => {
    await expect(running.get('/forgetful')).resolves.toEqual({
      status: 500,
      body: { statusCode: 500, code: 'TENANT_REQUIRED', message: 'Internal server error' },
    });
    expect(running.log.errors).toEqual([expect.stringContaining('TenantContext.run(tenant, work)')]);
  });
});
