import { withDataInMemory } from '../support/data-in-memory';

// The modules themselves: a namespace import would be a copy.
const files = jest.requireActual<typeof import('node:fs/promises')>('node:fs/promises');
const os = jest.requireActual<typeof import('node:os')>('node:os');

const GIGABYTE = 1024 ** 3;
const TMPFS = 0x01021994;

describe('The data of the PostgreSQL of tests', () => {
  afterEach(() => jest.restoreAllMocks());

  const where = async ({ type = TMPFS, size = 8, free = 8, limit = 0, isReadOnly = false }) => {
    const found = { type, bavail: size, bsize: GIGABYTE };
    jest.spyOn(files, 'statfs').mockImplementation(() => Promise.resolve(found as never));
    jest
      .spyOn(files, 'access')
      .mockImplementation(() => (isReadOnly ? Promise.reject(new Error('EROFS')) : Promise.resolve()));
    jest.spyOn(os, 'freemem').mockReturnValue(free * GIGABYTE);
    jest.spyOn(process, 'constrainedMemory').mockReturnValue(limit * GIGABYTE);
    const before = process.env.TMPDIR;
    const during = await withDataInMemory(() => Promise.resolve(process.env.TMPDIR));
    expect(process.env.TMPDIR).toBe(before);
    return during === '/dev/shm' ? 'memory' : 'disk';
  };

  it.each([
    ['memory', 'there is enough of it', {}],
    ['memory', 'the limit of the container is large', { limit: 16 }],
    ['disk', 'the path is a folder of the disk', { type: 0xef53 }],
    ['disk', 'the file system is small', { size: 1 }],
    ['disk', 'little memory is free', { free: 1 }],
    ['disk', 'the container may use little', { limit: 3 }],
    ['disk', 'it may not be written to', { isReadOnly: true }],
  ])('are in %s when %s', async (place, _when, machine) => {
    await expect(where(machine)).resolves.toBe(place);
  });
});
