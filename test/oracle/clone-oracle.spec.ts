import * as relations from '../integration/schema/relations-templates';
import { securityTemplates } from '../integration/schema/security-templates';
import { SchemaBench } from '../integration/schema/support';
import { ROUTINES, TYPES } from '../integration/schema/types-and-routines';
import { EVERY_OBJECT, SURROUNDINGS } from '../support/every-object/every-object';
import { ROLES } from '../support/every-object/security';
import { pgDump } from './pg-dump';

/** As long as each other, so that neither order nor line breaks differ by their names. */
const TEMPLATE = 'oracle_template';
const CLONE = 'oracle_theclone';

const PUBLICATIONS = ['tables_', '"Odd ""one"""', 'schemas_'].map((name) => `CREATE PUBLICATION ${name}`);

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
  for (const statement of [relations.SURROUNDINGS, ...SURROUNDINGS, ...PUBLICATIONS])
    await bench.executor.query(statement);
});
afterAll(() => bench.close());

/** What is easy to get wrong, each alone: the forms that the suites of the schema folder look at from within. */
const HARD_FORMS: Readonly<Record<string, string>> = {
  ...relations.RELATION_TEMPLATES,
  ...securityTemplates(...ROLES),
  'types of every kind': TYPES,
  'routines of every kind': ROUTINES,
};

describe('pg_dump tells no difference between a clone and its template, which hold', () => {
  it.each([
    ...Object.entries(EVERY_OBJECT),
    ['all of it', Object.values(EVERY_OBJECT).join('\n')] as const,
    ...Object.entries(HARD_FORMS).map(([subject, script]) => [`in hard forms: ${subject}`, script] as const),
  ])('%s', async (_subject, script) => {
    await bench.build(TEMPLATE, script);
    await bench.clone(TEMPLATE, CLONE);
    const [template, clone] = await Promise.all([
      pgDump(bench.database.url, TEMPLATE),
      pgDump(bench.database.url, CLONE),
    ]);
    expect(template).toContain('CREATE');
    expect(clone.replaceAll(CLONE, TEMPLATE).split('\n')).toEqual(template.split('\n'));
  });
});
