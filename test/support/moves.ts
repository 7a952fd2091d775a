import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Move } from '../../lib';
import { cleanEnvironment, programArguments } from './commands';
import type { StoppedMoves } from './moving-program';

/** For `onProgress`: does the work once, when the move is there; `copied` is when rows of it are. */
export function at(where: string, work: (move: Move) => unknown) {
  let isDone = false;
  return async (move: Move) => {
    const state = move.state === 'copying' && move.progress.tables > 0 ? 'copied' : move.state;
    if (isDone || state !== where) return;
    isDone = true;
    await work(move);
  };
}

/** Begins the moves in another process, between the registry's server and `eu`, and kills it when all of them stand still. */
export async function killMover(url: string, euUrl: string, moves: StoppedMoves): Promise<void> {
  const mover = spawn(
    process.execPath,
    programArguments('test/support/moving-program.ts', url, euUrl, JSON.stringify(moves)),
    { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [said] = (await once(mover.stdout, 'data')) as [Buffer];
  expect(String(said)).toContain('stands still');
  mover.kill('SIGKILL');
  await once(mover, 'exit');
}
