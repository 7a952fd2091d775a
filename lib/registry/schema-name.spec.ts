import { generateSchemaName } from './schema-name';

it('makes names that PostgreSQL takes without quotes, never the same twice', () => {
  const names = Array.from({ length: 1_000 }, generateSchemaName);
  for (const name of names) expect(name).toMatch(/^t_[a-z0-9]{20}$/);
  expect(new Set(names).size).toBe(names.length);
});

it('uses every letter and digit alike', () => {
  const counts = new Map<string, number>();
  for (const character of Array.from({ length: 5_000 }, () => generateSchemaName().slice(2)).join('')) {
    counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  expect(counts.size).toBe(36);
  // 100,000 draws, 2,778 expected of each, standard deviation 52; a byte modulo 36 favours some by 14 percent.
  for (const count of counts.values()) expect(Math.abs(count - 2_778)).toBeLessThan(8 * 52);
});
