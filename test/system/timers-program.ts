import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Tenant, TenancyModule, TenantConnection, TenantContext } from '../../lib';
import { TenancyScheduleModule, TenantCron } from '../../lib/schedule';
import type { TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { YEARLY } from './yearly';

/** An instance whose timer writes down each tenant it was called for, with its process; until it is killed. */
const [url, directUrl, name, workMs] = process.argv.slice(2);

@Injectable()
class Visits {
  constructor(
    private readonly context: TenantContext,
    private readonly connection: TenantConnection,
  ) {}

  @TenantCron(YEARLY, { name, concurrency: 4, missed: 'run-once', timeZone: 'UTC' })
  async visit({ slug }: Tenant): Promise<void> {
    const values = [this.context.tenant().slug, slug, process.pid];
    await this.context.runAsSystem(() =>
      this.connection.query('INSERT INTO public.visits (slug, given, pid) VALUES ($1, $2, $3)', values),
    );
    await new Promise((resolve) => setTimeout(resolve, Number(workMs)));
  }
}

@Module({
  imports: [
    TenancyModule.forRoot(
      notesOptions({ url } as TestDatabase, { database: { url, directUrl, connectAttempts: 1 } }),
    ),
    TenancyScheduleModule.forRoot({ leaseMs: 2_000 }),
  ],
  providers: [Visits],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  process.stdout.write('started\n');
}

void main();
