import { uuidV7 } from './uuid-v7';

describe('uuidV7', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const msOf = (uuid: string) => parseInt(uuid.replaceAll('-', '').slice(0, 12), 16);

  it('is a UUID of version 7 that begins with the time', () => {
    const before = Date.now();
    const uuid = uuidV7();
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(msOf(uuid)).toBeGreaterThanOrEqual(before);
    expect(msOf(uuid)).toBeLessThanOrEqual(Date.now());
  });

  it('sorts as it was made, within a millisecond and when the clock is set back', () => {
    const later = Date.now() + 1_000;
    const times = [later, later, later - 500, later + 1];
    const uuids = times.flatMap((ms) => {
      jest.spyOn(Date, 'now').mockReturnValue(ms);
      return Array.from({ length: 1_000 }, uuidV7);
    });
    expect(uuids).toEqual([...uuids].sort());
    expect(new Set(uuids).size).toBe(4_000);
  });
});
