import { hostname } from 'node:os';

/** What people are told of who does some work: a process of a machine. */
export function thisProcess(): string {
  return `${hostname()}, process ${process.pid}`;
}
