import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { TenancyScheduleModule, TenantCron } from 'nestjs-tenancy/schedule';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import {
  isTenancyCli,
  OnProvision,
  TenancyModule,
  type Tenant,
  type TenantOrigin,
  type TenantProvisionHook,
} from 'nestjs-tenancy';
import { fromApiKey, TenancyAccessModule } from 'nestjs-tenancy/access';
import { TenancyMembersModule } from 'nestjs-tenancy/members';
import { TenancyEventsModule } from 'nestjs-tenancy/events';
import { TenancyWebhooksModule } from 'nestjs-tenancy/webhooks';
import type { EntityManager, QueryRunner } from 'typeorm';

class CreateCurrencies1700000000000 {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE currencies (code text UNIQUE)');
  }

  async down(): Promise<void> {}
}

@Injectable()
class Jobs {
  @TenantCron('* * * * * *', { name: 'reminders', missed: 'run-once' })
  remind(): void {
    console.log('ran: timer of a tenant');
  }

  @Cron('* * * * * *')
  everySecond(): void {
    console.log('ran: cron');
  }

  @Interval(1)
  always(): void {
    console.log('ran: interval');
  }

  @Timeout(0)
  atOnce(): void {
    console.log('ran: timeout');
  }
}

/** There is no Redis: a worker that begins says so. */
@Processor('mails')
class Mails extends WorkerHost {
  process(): Promise<void> {
    return Promise.resolve();
  }

  hasBegun(): boolean {
    try {
      return Boolean(this.worker);
    } catch {
      return false;
    }
  }
}

/** What the hook needs, and what begins a thing of its own. */
@Injectable()
class Mailer implements OnModuleInit {
  isConnected = false;

  onModuleInit(): void {
    this.isConnected = true;
    if (!isTenancyCli()) console.log('ran: own');
  }
}

@Injectable()
@OnProvision()
class Currencies implements TenantProvisionHook {
  constructor(
    private readonly mailer: Mailer,
    private readonly mails: Mails,
    private readonly schedules: SchedulerRegistry,
  ) {}

  async onProvision(tenant: Tenant, manager: EntityManager, origin: TenantOrigin): Promise<void> {
    const jobs = [
      ...this.schedules.getCronJobs().keys(),
      ...this.schedules.getIntervals(),
      ...this.schedules.getTimeouts(),
    ];
    const { isConnected } = this.mailer;
    const hasWorker = this.mails.hasBegun();
    console.log(
      `hook: ${JSON.stringify({ slug: tenant.slug, origin, isConnected, hasWorker, jobs: jobs.length })}`,
    );
    if (process.env.TELLS_APART && origin !== 'create') return;
    await manager.query(`INSERT INTO currencies VALUES ('EUR')`);
  }
}

/** An application that works in the background: with timers, a worker, and a hook. */
@Module({
  imports: [
    ScheduleModule.forRoot(),
    TenancyScheduleModule.forRoot(),
    BullModule.forRoot({ connection: { host: '127.0.0.1', port: 1 } }),
    TenancyModule.forRootAsync({
      useFactory: () => ({
        database: { url: process.env.DATABASE_URL },
        entities: [],
        migrations: [CreateCurrencies1700000000000],
        resolvers: [fromApiKey()],
      }),
    }),
    TenancyAccessModule.forRoot({ prefix: 'shop' }),
    TenancyMembersModule.forRoot(),
    TenancyEventsModule.forRoot(),
    TenancyWebhooksModule.forRoot({ encryptionKeys: { k1: Buffer.alloc(32, 7).toString('base64') } }),
  ],
  providers: [Jobs, Mails, Mailer, Currencies],
})
export class BackgroundApp {}
