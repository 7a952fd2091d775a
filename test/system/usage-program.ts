import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TenancyModule, TenantProvisioner } from '../../lib';
import { TenancyUsageModule, TenantUsage } from '../../lib/usage';
import type { TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';

/** Counts for a new tenant, one by one, and tells of each; until it is killed. */
const [url, directUrl, flushIntervalMs] = process.argv.slice(2);

@Module({
  imports: [
    TenancyModule.forRoot(
      notesOptions({ url } as TestDatabase, { database: { url, directUrl, connectAttempts: 1 } }),
    ),
    TenancyUsageModule.forRoot({ flushIntervalMs: Number(flushIntervalMs) }),
  ],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const tenant = await app.get(TenantProvisioner).create({ slug: 'crashing' });
  const usage = app.get(TenantUsage);
  for (let counted = 1; ; counted += 1) {
    usage.count('ticks', 1, tenant);
    process.stdout.write(`${counted}\n`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

void main();
