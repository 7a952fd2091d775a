import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** All processes of this machine but zombies, which are over. Minimal Linux systems have no `ps`, others no /proc. */
export function runningProcesses(): RunningProcess[] {
  return existsSync('/proc/self/stat') ? readProc() : readPs();
}

function readProc(): RunningProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const [, state, parent] =
        /^\d+ \(.*\) (\S) (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return state && state !== 'Z' ? [{ pid: Number(name), parent: Number(parent), command }] : [];
    } catch {
      // Not a process, or one that has just ended.
      return [];
    }
  });
}

function readPs(): RunningProcess[] {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' });
  return [...lines.matchAll(/^ *(\d+) +(\d+) +([^Z\s]\S*) +(.*)$/gm)].map(([, pid, parent, , command]) => {
    return { pid: Number(pid), parent: Number(parent), command: command };
  });
}

/** A process and all that it started, as long as they descend from it. */
export function treeOf(pid: number): RunningProcess[] {
  const all = runningProcesses();
  const tree = all.filter((each) => each.pid === pid);
  for (const member of tree) tree.push(...all.filter(({ parent }) => parent === member.pid));
  return tree;
}

/** Those of the processes that have not gone after ten seconds. */
export async function survivorsOf(processes: readonly RunningProcess[]): Promise<RunningProcess[]> {
  for (let attempt = 0; ; attempt++) {
    const running = new Set(runningProcesses().map(({ pid }) => pid));
    const left = processes.filter(({ pid }) => running.has(pid));
    if (left.length === 0 || attempt === 50) return left;
    await wait(200);
  }
}
