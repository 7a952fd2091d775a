import { type FamilyTable, orderAdditions } from './column-order';

/** `a*` is declared by the table itself. */
const table = (name: string, parents: string[], columns: string): FamilyTable => ({
  name,
  parents,
  columns: new Map(
    columns
      .split(' ')
      .filter(Boolean)
      .map((column) => [column.replace('*', ''), column.endsWith('*')]),
  ),
});

const steps = (...family: FamilyTable[]) =>
  orderAdditions(family)?.map(({ table: name, columns }) => `${name}: ${columns.join(' ')}`);

describe('columns of tables that inherit from one another are added', () => {
  it('to the parent first, when the child began with its columns', () => {
    expect(steps(table('top', [], 'a* b*'), table('kid', ['top'], 'a b c*'))).toEqual(['top: a b', 'kid: c']);
  });

  it('to the parent after the child’s own, when the parent got them later', () => {
    expect(steps(table('top', [], 'a* late*'), table('kid', ['top'], 'a own* late'))).toEqual([
      'top: a',
      'kid: own',
      'top: late',
    ]);
  });

  it('to the child before the parent, when both declare them', () => {
    expect(steps(table('top', [], 'a* b*'), table('kid', ['top'], 'b* a'))).toEqual(['kid: b', 'top: a b']);
  });

  it('once where two parents have them from one', () => {
    expect(
      steps(
        table('top', [], 'a* late*'),
        table('left', ['top'], 'a l* late'),
        table('right', ['top'], 'a late'),
        table('bottom', ['left', 'right'], 'a l b* late'),
      ),
    ).toEqual(['top: a', 'left: l', 'bottom: b', 'top: late']);
  });

  it('in no way, when no order of ADD COLUMN leads there', () => {
    expect(steps(table('top', [], 'a* b*'), table('kid', ['top'], 'b a'))).toBeUndefined();
  });
});
