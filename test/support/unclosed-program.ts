import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TenancyModule } from '../../lib';
import { TenantChangeFeed } from '../../lib/registry/changes/tenant-changes';
import type { TestDatabase } from './database';
import { notesOptions } from './notes';

/** A script that forgets to close its application, and has nothing more to do when changes are heard. */
const [url] = process.argv.slice(2);

/** Long enough for a beat of the feed to come in between. */
const database = { url, connectAttempts: 1, extra: { idleTimeoutMillis: 1_500 } };

@Module({ imports: [TenancyModule.forRoot(notesOptions({ url } as TestDatabase, { database }))] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const feed = app.get(TenantChangeFeed);
  while (feed.provenAt < 0) await new Promise((resolve) => setImmediate(resolve));
  console.log('heard');
}

void main();
