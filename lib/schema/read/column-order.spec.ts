import type { FamilyTable } from './births';
import { orderAdditions } from './column-order';

/** `a*` is declared by the table itself; `a*(b)` is computed from b. */
const table = (name: string, parents: string[], columns: string): FamilyTable => {
  const read = [...columns.matchAll(/(\w+)(\*?)(?:\((\w+)\))?/g)];
  return {
    name,
    parents,
    columns: new Map(read.map(([, column, star]) => [column, star === '*'])),
    sources: new Map(read.map(([, column, , source]) => [column, source ? [source] : []])),
  };
};

/** `kid < a: b` is made with b and the inherited a. */
const steps = (...family: FamilyTable[]) =>
  orderAdditions(family)?.map(
    ({ table: name, columns, born, adopted }) =>
      `${name}${born ? ` < ${[...born].join(' ')}` : ''}: ${columns.join(' ')}${adopted ? ' (adopted)' : ''}`,
  );

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

  it('together with CREATE TABLE, when a generated one stands before what it is computed from', () => {
    expect(
      steps(
        table('top', [], 'sum*(a) a* late*'),
        table('other', [], 'x* y*'),
        table('kid', ['top', 'other'], 'sum a x twice*(own) own* y late'),
        table('grand', ['kid'], 'sum a x twice own more* y late'),
      ),
    ).toEqual([
      'top < : sum a',
      'other: x',
      'kid < sum a x: twice own',
      'grand < sum a x twice own: more',
      'other: y',
      'top: late',
    ]);
  });

  it('to two parents first, when a child has them in another order than one of its parents', () => {
    expect(
      steps(
        table('one', [], 'a*'),
        table('two', [], 'b* c*'),
        table('both', ['one', 'two'], 'a b c d*'),
        table('again', ['two', 'both'], 'b c a d e*'),
      ),
    ).toEqual(['one: a', 'two: b c', 'both < a b c: d', 'again < b c a d: e']);
  });

  it('to a table that came under its parent later, before it does', () => {
    expect(
      steps(
        table('top', [], 'sum*(b) b* late*'),
        table('kid', ['top'], 'own* sum*(b) b* late'),
        table('first', ['top'], 'sum b late'),
      ),
    ).toEqual(['top < : sum b', 'kid < sum b: own sum b (adopted)', 'first < sum b: ', 'top: late']);
  });

  it('in no way, when a generated one was given another expression since', () => {
    expect(
      steps(table('top', [], 'sum*(late) late*'), table('kid', ['top'], 'sum own* late')),
    ).toBeUndefined();
  });
});
