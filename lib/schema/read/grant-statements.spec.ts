import { type Grant, grantStatements } from './grant-statements';

const grant = (to: string, privilege: string, grantable = false): Grant => ({ to, privilege, grantable });

describe('grants', () => {
  it('of objects alike are one statement, in the order of roles', () => {
    const wanted = [grant('b', 'SELECT'), grant('b', 'INSERT'), grant('a', 'SELECT', true)];
    expect(
      grantStatements([
        { kind: 'TABLE', name: 'x', wanted, usual: [] },
        { kind: 'TABLE', name: 'y', wanted, usual: [] },
      ]),
    ).toEqual([
      'GRANT SELECT, INSERT ON TABLE x, y TO b',
      'GRANT SELECT ON TABLE x, y TO a WITH GRANT OPTION',
    ]);
  });

  it('that are usual and not wanted are revoked, or their option is', () => {
    expect(
      grantStatements([
        {
          kind: 'FUNCTION',
          name: 'f()',
          wanted: [grant('a', 'EXECUTE')],
          usual: [grant('PUBLIC', 'EXECUTE'), grant('a', 'EXECUTE', true)],
        },
      ]),
    ).toEqual([
      'REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC',
      'REVOKE GRANT OPTION FOR EXECUTE ON FUNCTION f() FROM a',
    ]);
  });

  it('on columns name the column with each privilege', () => {
    expect(
      grantStatements([
        {
          kind: 'TABLE',
          name: 't',
          column: '"B c"',
          wanted: [grant('a', 'SELECT'), grant('a', 'UPDATE')],
          usual: [],
        },
      ]),
    ).toEqual(['GRANT SELECT ("B c"), UPDATE ("B c") ON TABLE t TO a']);
  });

  it('that are usual need no statement', () => {
    const usual = [grant('a', 'SELECT')];
    expect(grantStatements([{ kind: 'TABLE', name: 't', wanted: usual, usual }])).toEqual([]);
  });
});
