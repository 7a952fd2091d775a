import { access, constants, statfs } from 'node:fs/promises';
import { freemem } from 'node:os';

/** Linux's file system in memory. */
const MEMORY = '/dev/shm';

/** TMPFS_MAGIC of statfs(2): in some containers the path is a folder of the disk. */
const TMPFS = 0x01021994;

/** Several times what the data of all suites take at most. A container of Docker has 64 MB there. */
const ENOUGH_BYTES = 2 * 1024 ** 3;

/**
 * Starts PostgreSQL with temporary data in memory, where there is enough of it. Each test file makes a database, which
 * is 300 files, and each table of a tenant makes up to three: on a disk they may cost more than the tests.
 */
export async function withDataInMemory<Server>(start: () => Promise<Server>): Promise<Server> {
  const { TMPDIR } = process.env;
  if (await hasMemory()) process.env.TMPDIR = MEMORY;
  try {
    return await start();
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}

async function hasMemory(): Promise<boolean> {
  try {
    const { type, bavail, bsize } = await statfs(MEMORY);
    await access(MEMORY, constants.W_OK);
    // Of a container's limit, which freemem() does not know, tests and PostgreSQL need the other half.
    const share = (process.constrainedMemory() || Infinity) / 2;
    return type === TMPFS && Math.min(bavail * bsize, freemem(), share) >= ENOUGH_BYTES;
  } catch {
    // Not Linux, or not to be written to.
    return false;
  }
}
