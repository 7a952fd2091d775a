import { Injectable } from '@nestjs/common';
import { messageOf } from '../common/error-message';
import { ServerUnknownError } from '../placement/placement.errors';
import { FleetMembers } from './fleet-members';
import { FleetPass } from './fleet-pass';
import type { FleetTally } from './fleet-report';
import type { FleetState } from './fleet-state';
import { FleetServers, ServerLeftOutError } from './fleet-servers';
import { type FleetTask, missingIn, namesOf } from './fleet-task';
import { planWaves, type Wave } from './waves';

/** Migrates the fleet wave by wave, and in each wave one server after the other, until no tenant is left or the run must stop. */
@Injectable()
export class FleetRun {
  constructor(
    private readonly members: FleetMembers,
    private readonly servers: FleetServers,
    private readonly pass: FleetPass,
  ) {}

  /**
   * Tenants of servers that the tally has left out are not visited; those that are away while it works are left out then.
   *
   * @param state how many tenants are behind, if that has just been counted
   */
  async visit(task: FleetTask, tally: FleetTally, state?: FleetState): Promise<void> {
    const known = state?.servers.map(({ server, behind }): [string, number] => [server, behind]);
    const sizes = await this.#countEach(task, tally, new Map(known));
    const total = sumOf(sizes);
    if (total === 0) return;
    const waves = planWaves(sizes, task.options);
    for (const [index, wave] of waves.entries()) {
      // Tenants that were added during a pass are found by the next one.
      while (tally.halted === undefined && (await this.#pass(task, tally, wave, total)));
      if (tally.halted === undefined && index < waves.length - 1) await askToGoOn(task, tally, wave);
    }
  }

  /** How many tenants lack a migration and have not failed. Of servers that were left out, all that this run has not ended with. */
  async countNotReached(task: FleetTask, tally: FleetTally): Promise<number> {
    const left = sumOf(await this.#countEach(task, tally));
    const counts = tally.leftOut.size > 0 ? await this.members.countByServer() : new Map<string, number>();
    let unasked = 0;
    let failed = tally.failed.length;
    for (const server of tally.leftOut.keys()) {
      const ended = tally.of(server);
      failed -= ended.failed;
      unasked += Math.max(0, (counts.get(server) ?? 0) - ended.done - ended.skipped - ended.failed);
    }
    return Math.max(0, left - failed) + unasked;
  }

  async #countEach(
    task: FleetTask,
    tally: FleetTally,
    known: ReadonlyMap<string, number> = new Map(),
  ): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const server of this.reached(tally)) {
      await leavingOut(tally, async () => {
        const count = () => this.members.count(namesOf(task), missingIn(task), { server });
        sizes.set(server, known.get(server) ?? (await count()));
      });
    }
    return sizes;
  }

  /** Servers that the registry names and the options do not. */
  async leaveOutUnknown(tally: FleetTally): Promise<void> {
    for (const server of (await this.members.countByServer()).keys())
      if (!this.servers.names.includes(server)) tally.leaveOut(server, new ServerUnknownError(server));
  }

  /** The servers that are not left out, the registry's first. */
  reached({ leftOut }: FleetTally): readonly string[] {
    return this.servers.names.filter((server) => !leftOut.has(server));
  }

  /** Returns whether another pass may find more tenants. */
  async #pass(task: FleetTask, tally: FleetTally, wave: Wave, total: number): Promise<boolean> {
    const before = tally.finished;
    for (const server of this.reached(tally)) {
      if (tally.halted !== undefined) break;
      if (tally.finishedOn(server) >= wave.upTo(server)) continue;
      await leavingOut(tally, () => this.pass.go({ server, task, tally, wave, total }));
    }
    const isLeft = this.reached(tally).some((server) => tally.finishedOn(server) < wave.upTo(server));
    return tally.finished > before && isLeft;
  }
}

/** Notes that a server is away; any other error is thrown. */
async function leavingOut(tally: FleetTally, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ServerLeftOutError)) throw error;
    tally.leaveOut(error.server, error);
  }
}

function sumOf(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

async function askToGoOn(
  { options: { afterWave } }: FleetTask,
  tally: FleetTally,
  { name }: Wave,
): Promise<void> {
  try {
    await afterWave?.(name, { done: tally.done, failed: tally.failed });
  } catch (error) {
    tally.halt(`afterWave failed after the wave "${name}": ${messageOf(error)}`);
  }
}
