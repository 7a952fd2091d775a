import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Debian puts the programs of each PostgreSQL version where no PATH leads. */
const POSTGRES_15 = '/usr/lib/postgresql/15/bin';

export function findPostgres15(): { initdb: string; postgres: string; pgCtl: string } {
  const program = (name: string): string =>
    find(name, [POSTGRES_15], 'apt-get install -y postgresql-15 postgresql-contrib');
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

export function findPgBaseBackup(): string {
  return find('pg_basebackup', [POSTGRES_15], 'apt-get install -y postgresql-15');
}

export function findPgDump(): string {
  return find('pg_dump', [POSTGRES_15], 'apt-get install -y postgresql-15');
}

export function findPgBouncer(): string {
  const directories = [...(process.env.PATH ?? '').split(':').filter(Boolean), '/usr/sbin'];
  return find('pgbouncer', directories, 'apt-get install -y pgbouncer');
}

export function findRedis(): string {
  const directories = (process.env.PATH ?? '').split(':').filter(Boolean);
  return find('redis-server', directories, 'apt-get install -y redis-server');
}

export function findCeph(name: string): string {
  const directories = [...(process.env.PATH ?? '').split(':').filter(Boolean), '/usr/sbin'];
  return find(name, directories, 'apt-get install -y --no-install-recommends ceph-mon ceph-osd radosgw');
}

/** @throws Error that says how to install it: a tool that is missing must not make tests pass by not running */
function find(name: string, directories: readonly string[], remedy: string): string {
  const path = directories.map((directory) => join(directory, name)).find(isExecutable);
  if (path !== undefined) return path;
  throw new Error(
    `The system tests need the program "${name}", which is not there. Install it as root: ${remedy}`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
