import { ifAny, neededFor } from './catalogs-in-use';

describe('A query for schemas without objects of some catalog', () => {
  const query = `A ${ifAny('pg_type', `B ${ifAny('pg_cast', 'C')} D`)} ${ifAny('pg_type', 'E')} F`;

  it('is without the parts for these', () => {
    expect(neededFor(new Set(), query)).toBe('A   F');
    expect(neededFor(new Set(['pg_cast']), query)).toBe('A   F');
    expect(neededFor(new Set(['pg_type']), query)).toBe('A B  D E F');
    expect(neededFor(new Set(['pg_type', 'pg_cast']), query)).toBe('A B C D E F');
  });
});
