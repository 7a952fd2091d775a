import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MoveOptions, TenancyModule, TenantMover } from '../../lib';
import type { TestDatabase } from './database';
import { notesOptions } from './notes';

/** Each move: a tenant, the server that it moves to, and the state in which it stands still. */
export type StoppedMoves = readonly (readonly [
  slug: string,
  server: string,
  state: string,
  how?: MoveOptions['how'],
])[];

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
  const all = JSON.parse(moves) as StoppedMoves;
  /** Begins a move, and resolves when it stands still; when it follows and is to stand still after that, it goes on with `goOn`. */
  const stopIn = ([slug, server, where, how]: StoppedMoves[number], goOn: Promise<void>, held: () => void) =>
    new Promise<void>((resolve) => {
      const onProgress = ({ state, progress }: { state: string; progress: { tables: number } }) => {
        const isThere = where === 'copied' ? state === 'copying' && progress.tables > 0 : state === where;
        if (isThere) {
          resolve();
          return new Promise(() => undefined);
        }
        if (state !== 'following') return undefined;
        held();
        return goOn;
      };
      void app.get(TenantMover).move(slug, { server }, { onProgress, how, actor: 'the killed one' });
    });
  const now = Promise.resolve();
  const isOpen = (where: string) => where === 'copied' || where === 'fencing';
  await Promise.all(
    all
      .filter(([, , where, how]) => how !== 'online' || !isOpen(where))
      .map((move) => stopIn(move, now, () => undefined)),
  );
  // A slot waits for all who write on its server, as what is copied or fenced does: so all slots first.
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const standing: Promise<void>[] = [];
  for (const where of ['fencing', 'copied'])
    for (const move of all.filter(([, , state, how]) => how === 'online' && state === where))
      await new Promise<void>((resolve) => {
        const stands = stopIn(move, opened, resolve);
        standing.push(stands);
        void stands.then(resolve);
      });
  open();
  await Promise.all(standing);
  setInterval(() => undefined, 1_000);
  console.log('stands still');
}

void main();
