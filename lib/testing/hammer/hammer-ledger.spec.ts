import { HammerLedger } from './hammer-ledger';

const ACME = 0;
const GLOBEX = 1;

describe('HammerLedger', () => {
  let ledger: HammerLedger;
  beforeEach(() => {
    ledger = new HammerLedger(['acme', 'globex']);
  });

  const found = () => {
    const { wrongReads, wrongWrites, lostWrites, findings } = ledger;
    return [wrongReads, wrongWrites, lostWrites, findings.length];
  };

  it('finds a stamp of another wherever it is read', () => {
    const stamp = ledger.issue(GLOBEX);
    const values = [
      stamp,
      `(${stamp})`,
      [{ rows: [stamp] }],
      Buffer.from(`x${stamp}\n`),
      { a: { b: new Map(), c: stamp } },
    ];
    for (const value of values) ledger.see(ACME, value, 'test');
    expect(found()).toEqual([5, 0, 0, 5]);
    expect(ledger.findings[0]).toBe('acme read a row of globex (test)');
    ledger.see(GLOBEX, values, 'test');
    expect(found()).toEqual([5, 0, 0, 5]);
    expect(ledger.rowsChecked).toBe(10);
  });

  it('is not confused by a value that holds itself, nor by stamps of another run', () => {
    const value: Record<string, unknown> = { stamp: new HammerLedger(['other', 'run']).issue(GLOBEX) };
    value.self = value;
    ledger.see(ACME, value, 'test');
    expect(found()).toEqual([0, 0, 0, 0]);
  });

  it('misses writes that were acknowledged, and finds those that were rolled back', () => {
    const [kept, lost, dropped] = [1, 2, 3].map(() => ledger.issue(ACME));
    ledger.keep(kept);
    ledger.keep(lost);
    ledger.drop(dropped);
    ledger.checkAll(ACME, [{ stamp: kept }, { stamp: dropped }]);
    expect(found()).toEqual([0, 1, 1, 2]);
  });

  it('finds rows that another wrote, or that were written twice', () => {
    const [own, foreign, unknown] = [ledger.issue(ACME), ledger.issue(GLOBEX), ledger.issue(ACME)];
    ledger.keep(own);
    ledger.checkAll(ACME, [{ stamp: own, copy: own }, own, foreign, unknown]);
    expect(found()).toEqual([0, 2, 0, 2]);
    ledger.checkAll(GLOBEX, []);
    expect(found()).toEqual([0, 2, 0, 2]);
  });

  it('tells at once that something was found', async () => {
    ledger.hang('slow');
    await ledger.found;
    expect(ledger.hangs).toBe(1);
  });
});
