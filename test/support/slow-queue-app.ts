import { BullModule, getQueueToken, WorkerHost } from '@nestjs/bullmq';
import { Injectable, type Type } from '@nestjs/common';
import type { Job } from 'bullmq';
import { TenancyModule, TenantConnection, TenantContext } from '../../lib';
import {
  TenancyBullmqModule,
  type TenancyBullmqOptions,
  TenantProcessor,
  type TenantQueue,
} from '../../lib/bullmq';
import type { TestDatabase } from './database';
import { Note, notesOptions } from './notes';
import { CARRY_KEYS } from './queue-app';
import { startTestApp, type TestApp } from './test-app';

export interface SlowJob {
  readonly text: string;
}

/** What the processor does in the middle of each job. */
@Injectable()
export class Middle {
  /** In the order in which they began. */
  readonly begun: string[] = [];
  reached: (job: SlowJob) => Promise<unknown> = () => Promise.resolve();
}

/** One that is killed is missed soon. */
@TenantProcessor('slow', { concurrency: 2, lockDuration: 3_000, stalledInterval: 1_000 })
export class SlowProcessor extends WorkerHost {
  constructor(
    private readonly middle: Middle,
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
  ) {
    super();
  }

  async process({ data }: Job<SlowJob>): Promise<string> {
    this.middle.begun.push(data.text);
    await this.middle.reached(data);
    await this.connection.getRepository(Note).save({ text: data.text });
    return this.context.tenant().slug;
  }
}

export interface SlowQueueApp extends TestApp {
  readonly queue: TenantQueue<SlowJob, string>;
  readonly middle: Middle;
}

/** An application with a queue whose jobs take as long as the test says. Without a processor it only adds jobs. */
export async function startSlowQueueApp(
  database: Pick<TestDatabase, 'url'>,
  port: number,
  processors: Type[] = [SlowProcessor],
  options: TenancyBullmqOptions = {},
): Promise<SlowQueueApp> {
  const app = await startTestApp({
    imports: [
      TenancyModule.forRoot(notesOptions(database as TestDatabase, { carryKeys: CARRY_KEYS })),
      TenancyBullmqModule.forRoot(options),
      BullModule.forRoot({ connection: { host: '127.0.0.1', port, retryStrategy: () => 20 } }),
      TenancyBullmqModule.registerQueue({ name: 'slow' }),
    ],
    providers: [Middle, ...processors],
  });
  const queue = app.app.get<TenantQueue<SlowJob, string>>(getQueueToken('slow'));
  // Without a listener BullMQ writes each failed attempt to connect to the console.
  queue.on('error', () => undefined);
  for (const processor of processors) app.app.get<WorkerHost>(processor).worker.on('error', () => undefined);
  return Object.assign(app, { queue, middle: app.app.get(Middle) });
}
