import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TenancyModule, type TenancyOptions } from '../../lib';
import { TenancyBullmqModule, TenantProcessor } from '../../lib/bullmq';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { CARRY_KEYS } from '../support/queue-app';
import { RecordingLogger } from '../support/test-app';

class Host extends WorkerHost {
  process() {
    return Promise.resolve();
  }
}

@Processor('orders')
class PlainProcessor extends Host {}

@TenantProcessor('orders')
class OrdersProcessor extends Host {}

@Injectable()
class OverridingProcessor extends OrdersProcessor {
  override process() {
    return Promise.resolve();
  }
}

@Processor('letters')
class LettersProcessor extends Host {}

/** Without Redis: a start that is refused has asked for none. */
describe('TenancyBullmqModule', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  async function failure(
    { imports = [], providers = [] }: ModuleMetadata,
    options: Partial<TenancyOptions> = { carryKeys: CARRY_KEYS },
  ): Promise<unknown> {
    @Module({
      imports: [
        TenancyModule.forRoot(notesOptions(database, options)),
        BullModule.forRoot({
          connection: { port: 1, lazyConnect: true },
          extraOptions: { manualRegistration: true },
        }),
        TenancyBullmqModule.forRoot(),
        ...imports,
      ],
      providers,
    })
    class AppModule {}
    const made = NestFactory.createApplicationContext(AppModule, {
      logger: new RecordingLogger(),
      abortOnError: false,
    });
    return made.then(
      (app) => app.close().then(() => 'it started'),
      (error: unknown) => error,
    );
  }

  it.each([
    ['a processor of Nest’s', PlainProcessor],
    ['one that overrides what knows of tenants', OverridingProcessor],
    ['one that a factory makes', { provide: 'processor', useFactory: () => new PlainProcessor() }],
  ])('refuses a start with %s for a queue of tenants', async (_kind, provider) => {
    const refused = await failure({
      imports: [TenancyBullmqModule.registerQueue({ name: 'orders' })],
      providers: [provider, LettersProcessor],
    });
    expect(refused).toMatchObject({
      code: 'PROCESSOR_NOT_TENANTS',
      message: expect.stringContaining("Put @TenantProcessor('orders')"),
    });
  });

  it('refuses a start without keys', async () => {
    await expect(failure({}, {})).resolves.toMatchObject({ code: 'CARRY_KEYS_MISSING' });
  });

  it('has nothing against processors of other queues, nor against being without any', async () => {
    await expect(failure({ providers: [LettersProcessor] })).resolves.toBe('it started');
  });
});
