import { ReportedParameters } from './session-contents';

const begun = () => {
  const reported = new ReportedParameters();
  for (const name of ['TimeZone', 'search_path', 'in_hot_standby'])
    reported.note({ parameterName: name, parameterValue: 'first' });
  reported.note({ parameterName: 'DateStyle', parameterValue: 'ISO' });
  reported.note({ parameterName: 'DateStyle', parameterValue: 'German' });
  reported.begin();
  return reported;
};
const note = (reported: ReportedParameters, parameterName: string, parameterValue: string) =>
  reported.note({ parameterName, parameterValue });

describe('What PostgreSQL tells of its session', () => {
  it('is not changed by what it was given before it began to work', () => {
    const reported = begun();
    expect(reported.areChanged()).toBe(false);
    note(reported, 'DateStyle', 'ISO');
    expect(reported.areChanged()).toBe(true);
  });

  it('is as it was when all is put back, in any order', () => {
    const reported = begun();
    note(reported, 'TimeZone', 'second');
    note(reported, 'search_path', 'second');
    note(reported, 'TimeZone', 'third');
    note(reported, 'search_path', 'first');
    expect(reported.areChanged()).toBe(true);
    note(reported, 'TimeZone', 'first');
    expect(reported.areChanged()).toBe(false);
  });

  it('is changed by a parameter that it has not told of before', () => {
    const reported = begun();
    note(reported, 'is_superuser', 'on');
    expect(reported.areChanged()).toBe(true);
  });

  it('may differ in a transaction by what the tenant’s own parameters change', () => {
    const reported = begun();
    note(reported, 'search_path', 'second');
    expect([reported.areChanged(true), reported.areChanged()]).toEqual([false, true]);
    note(reported, 'TimeZone', 'second');
    expect(reported.areChanged(true)).toBe(true);
  });

  it('is not the session’s own when a standby is promoted', () => {
    const reported = begun();
    note(reported, 'in_hot_standby', 'second');
    expect(reported.areChanged()).toBe(false);
  });
});
