import 'reflect-metadata';
import { type BeforeApplicationShutdown, Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { TenancyModule, TenantConnection, TenantProvisioner } from '../../lib';
import { notesOptions } from './notes';
import type { TestDatabase } from './database';

/** What the program prints, a line each. */
export type StoppableAppEvent =
  { readonly listening: string } | { readonly holding: string } | { readonly stopping: string };

const [platform, url] = process.argv.slice(2);

const tell = (event: StoppableAppEvent): void => console.log(JSON.stringify(event));

@Controller()
class LockController {
  constructor(private readonly connection: TenantConnection) {}

  /** Answers when the lock is free. */
  @Get('lock')
  async lock() {
    await this.connection.transaction((manager) => manager.query('SELECT pg_advisory_xact_lock(1)'));
    return { done: true };
  }
}

@Controller()
class HoldController {
  constructor(private readonly connection: TenantConnection) {}

  /** Never answers, and keeps a lock in an open transaction. */
  @Get('hold')
  async hold() {
    await this.connection.transaction(async (manager) => {
      await manager.query('SELECT pg_advisory_xact_lock(2)');
      tell({ holding: '2' });
      await new Promise(() => undefined);
    });
  }
}

@Injectable()
class Witness implements BeforeApplicationShutdown {
  beforeApplicationShutdown(signal?: string) {
    tell({ stopping: signal ?? 'no signal' });
  }
}

/** Without a limit on idleness, so that a pool that is not closed keeps the process for ever. */
const database = { url, connectAttempts: 1, extra: { idleTimeoutMillis: 0 } };

@Module({
  imports: [TenancyModule.forRoot(notesOptions({ url } as TestDatabase, { database }))],
  controllers: [LockController, HoldController],
  providers: [Witness],
})
class AppModule {}

async function main(): Promise<void> {
  const adapter = platform === 'Fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(AppModule, adapter, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  app.enableShutdownHooks();
  // Nest sends itself the signal again when it is done. With a listener left the process ends only by having nothing
  // more to do: no socket, no timer.
  process.on('SIGTERM', () => undefined);
  await app.listen(0, '127.0.0.1');
  await app.get(TenantProvisioner).create({ slug: 'acme' });
  tell({ listening: await app.getUrl() });
}

void main();
