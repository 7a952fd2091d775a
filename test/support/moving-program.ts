import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TenancyModule, TenantMover } from '../../lib';
import type { TestDatabase } from './database';
import { notesOptions } from './notes';

/** Each move: a tenant, the server that it moves to, and the state in which it stands still. */
export type StoppedMoves = readonly (readonly [slug: string, server: string, state: string])[];

/** Begins moves, each of which stands still in a state, and says so when all do. To be killed then. */
const [url, euUrl, moves] = process.argv.slice(2);

const options = {
  servers: { eu: { url: euUrl } },
  sweeper: { intervalMs: 0 },
  database: { url, connectAttempts: 1 },
};

@Module({ imports: [TenancyModule.forRoot(notesOptions({ url } as TestDatabase, options))] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const stopped = (JSON.parse(moves) as StoppedMoves).map(
    ([slug, server, where]) =>
      new Promise<void>((resolve) => {
        const onProgress = ({ state, progress }: { state: string; progress: { tables: number } }) => {
          const isThere = where === 'copied' ? state === 'copying' && progress.tables > 0 : state === where;
          if (!isThere) return undefined;
          resolve();
          return new Promise(() => undefined);
        };
        void app.get(TenantMover).move(slug, { server }, { onProgress, actor: 'the killed one' });
      }),
  );
  await Promise.all(stopped);
  setInterval(() => undefined, 1_000);
  console.log('stands still');
}

void main();
