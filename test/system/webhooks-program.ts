import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TenancyModule } from '../../lib';
import { TenancyEventsModule } from '../../lib/events';
import { TenancyWebhooksModule } from '../../lib/webhooks';
import type { TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { webhooksToThisMachine } from '../support/webhook-endpoints';

/** An instance that sends webhooks, until it is killed. */
const [url, directUrl, port] = process.argv.slice(2);

@Module({
  imports: [
    TenancyModule.forRoot(
      notesOptions({ url } as TestDatabase, { database: { url, directUrl, connectAttempts: 1 } }),
    ),
    TenancyEventsModule.forRoot(),
    TenancyWebhooksModule.forRoot(webhooksToThisMachine(Number(port))),
  ],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  process.stdout.write('started\n');
}

void main();
