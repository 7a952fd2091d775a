import { CsvLines, jsonLine } from './row-lines';

describe('Rows as lines', () => {
  it('are CSV that COPY can read, and JSON', () => {
    const csv = new CsvLines();
    const row = { id: '1', nothing: null, empty: '', text: 'a "b", c\r\nd', json: '{"k": [1]}', flag: 't' };
    expect(csv.lineOf('acme', row)).toBe(
      'tenant,id,nothing,empty,text,json,flag\nacme,1,,"","a ""b"", c\r\nd","{""k"": [1]}",t\n',
    );
    expect(jsonLine.lineOf('acme', { id: 1, text: 'a\nb' })).toBe(
      '{"tenant":"acme","row":{"id":1,"text":"a\\nb"}}\n',
    );
  });

  it('never put a value under another column’s name: a tenant with other columns is left out and named', () => {
    const csv = new CsvLines();
    csv.lineOf('acme', { a: '1', b: '2' });
    expect(csv.lineOf('globex', { b: '2', a: '1' })).toBe('globex,1,2\n');
    expect(csv.lineOf('initech', { a: '1', c: '2' })).toBe('');
    expect(csv.lineOf('initech', { a: '1' })).toBe('');
    expect([...csv.misfits]).toEqual(['initech']);
  });
});
