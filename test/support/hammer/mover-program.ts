import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { type Move, type MoveHow, TenantMover } from '../../../lib';
import { moverModule } from './hammer-world';

/** Begins one move, stands still in a state, and says so, to be killed then. */
const [url, furtherUrl, tenant, server, where, asked] = process.argv.slice(2);

/** Where the servers allow it. */
const how = asked === 'online' ? undefined : (asked as MoveHow);

const ORDER = ['planned', 'copying', 'copied', 'following', 'fencing', 'switching', 'cleaning'];

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(moverModule(url, furtherUrl), { logger: false });
  const onProgress = ({ state, progress }: Move) => {
    const at = state === 'copying' && progress.tables > 0 ? 'copied' : state;
    // A move that begins beside the registry is never switching, and one that stops writes never follows.
    if (ORDER.indexOf(at) < ORDER.indexOf(where)) return undefined;
    console.log('stands still');
    setInterval(() => undefined, 1_000);
    return new Promise(() => undefined);
  };
  await app.get(TenantMover).move(tenant, { server }, { onProgress, how });
  process.exit();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
