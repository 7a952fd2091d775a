import { SchemaBench } from '../integration/schema/support';
import { EVERY_OBJECT, SURROUNDINGS } from '../support/every-object/every-object';
import { pgDump } from './pg-dump';

/** As long as each other, so that neither order nor line breaks differ by their names. */
const TEMPLATE = 'oracle_template';
const CLONE = 'oracle_theclone';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
  for (const statement of SURROUNDINGS) await bench.executor.query(statement);
});
afterAll(() => bench.close());

describe('pg_dump tells no difference between a clone and its template, which hold', () => {
  it.each([...Object.entries(EVERY_OBJECT), ['all of it', Object.values(EVERY_OBJECT).join('\n')] as const])(
    '%s',
    async (_subject, script) => {
      await bench.build(TEMPLATE, script);
      await bench.clone(TEMPLATE, CLONE);
      const [template, clone] = await Promise.all([
        pgDump(bench.database.url, TEMPLATE),
        pgDump(bench.database.url, CLONE),
      ]);
      expect(template).toContain('CREATE');
      expect(clone.replaceAll(CLONE, TEMPLATE).split('\n')).toEqual(template.split('\n'));
    },
  );
});
