import { EventEmitter, once } from 'node:events';
import { BullModule, getFlowProducerToken, getQueueToken, OnWorkerEvent, WorkerHost } from '@nestjs/bullmq';
import { Injectable, type ModuleMetadata } from '@nestjs/common';
import type { Job } from 'bullmq';
import { TenancyModule, TenantConnection, TenantContext } from '../../lib';
import {
  TenancyBullmqModule,
  type TenancyBullmqOptions,
  type TenantFlowProducer,
  TenantProcessor,
  type TenantQueue,
} from '../../lib/bullmq';
import type { TestDatabase } from './database';
import { Note, notesOptions } from './notes';
import { startTestApp, type TestApp } from './test-app';

export const CARRY_KEYS = [{ id: '1', secret: 'a secret of the suite that is long enough' }];

export interface NoteJob {
  readonly text: string;
  /** How often it fails before it does its work. */
  readonly failures?: number;
  /** Replaces its data by these, then fails once. */
  readonly then?: NoteJob;
}

/** What has happened, as `event text slug`. */
@Injectable()
export class Diary {
  readonly lines: string[] = [];
  /** What the processor does in place of its own work, by the text of the job. */
  readonly work = new Map<string, () => Promise<unknown>>();
  readonly #news = new EventEmitter();

  constructor(private readonly context: TenantContext) {}

  write(event: string, text: string | undefined): void {
    this.lines.push(`${event} ${text} ${this.context.find()?.slug ?? 'nobody'}`);
    this.#news.emit('line');
  }

  /** Until a line is there that begins so, and as often. */
  async until(beginning: string, times = 1): Promise<void> {
    while (this.about(beginning).length < times) await once(this.#news, 'line');
  }

  about(part: string): string[] {
    return this.lines.filter((line) => line.includes(part));
  }
}

/** Listens to events, as classes do that inherit their listeners. */
abstract class WatchedHost extends WorkerHost {
  constructor(protected readonly diary: Diary) {
    super();
  }

  @OnWorkerEvent('active')
  onActive(job: Job<NoteJob>) {
    this.diary.write('active', job.data.text);
  }

  @OnWorkerEvent('completed')
  onCompleted(job: Job<NoteJob>) {
    this.diary.write('completed', job.data.text);
  }

  @OnWorkerEvent('failed')
  onFailed(job: Job<NoteJob> | undefined) {
    this.diary.write('failed', job?.data.text);
  }
}

@TenantProcessor('notes', { concurrency: 4 })
export class NotesProcessor extends WatchedHost {
  constructor(
    diary: Diary,
    private readonly connection: TenantConnection,
  ) {
    super(diary);
  }

  async process(job: Job<NoteJob>): Promise<string> {
    const { text, failures = 0, then } = job.data;
    this.diary.write('process', text);
    if (text === 'free') return text;
    const work = this.diary.work.get(text);
    if (work) {
      await work();
      return text;
    }
    if (then) {
      await job.updateData(then);
      throw new Error('between two steps');
    }
    if (job.attemptsMade < failures) throw new Error('not yet');
    await this.connection.getRepository(Note).save({ text });
    this.diary.write('processed', text);
    return text;
  }
}

export interface QueueApp extends TestApp {
  readonly queue: TenantQueue<NoteJob, string>;
  readonly flows: TenantFlowProducer;
  readonly diary: Diary;
}

/** An application with a queue of notes, on the Redis of a port, or on PostgreSQL. */
export async function startQueueApp(
  database: TestDatabase,
  connection: number | { connectionString: string; migrate: boolean },
  options: TenancyBullmqOptions = {},
  metadata: ModuleMetadata = {},
): Promise<QueueApp> {
  const app = await startTestApp({
    imports: [
      TenancyModule.forRoot(notesOptions(database, { carryKeys: CARRY_KEYS })),
      TenancyBullmqModule.forRoot(options),
      BullModule.forRoot({
        connection:
          typeof connection === 'number'
            ? { host: '127.0.0.1', port: connection, retryStrategy: () => 20 }
            : connection,
      }),
      TenancyBullmqModule.registerQueue({ name: 'notes' }),
      TenancyBullmqModule.registerFlowProducer({ name: 'notes' }),
      ...(metadata.imports ?? []),
    ],
    providers: [Diary, NotesProcessor, ...(metadata.providers ?? [])],
  });
  return Object.assign(app, {
    queue: app.app.get<TenantQueue<NoteJob, string>>(getQueueToken('notes')),
    flows: app.app.get<TenantFlowProducer>(getFlowProducerToken('notes')),
    diary: app.app.get(Diary),
  });
}
