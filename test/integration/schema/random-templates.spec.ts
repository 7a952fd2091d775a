import fc from 'fast-check';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { randomTemplate } from './random-templates/random-template';
import { SchemaBench } from './support';

/**
 * The same each time, so that what goes red was changed. For other templates: TEMPLATES_SEED; for more:
 * TEMPLATES_COUNT. TEMPLATES_SHRINK=no tells of a failing template at once, large as it is, where smaller ones that
 * fail may take half an hour to find.
 */
const SEED = Number(process.env.TEMPLATES_SEED ?? 1);
const COUNT = Number(process.env.TEMPLATES_COUNT ?? 40);
const SHRINKS = process.env.TEMPLATES_SHRINK !== 'no';

const SEARCH_MS = COUNT * 3_750;
const TIMEOUT_MS = SEARCH_MS + 30_000;

let bench: SchemaBench;
let isBefore18: boolean;

beforeAll(async () => {
  bench = await SchemaBench.open();
  const [{ version }] = (await bench.executor.query(
    `SELECT current_setting('server_version_num')::int AS version`,
  )) as { version: number }[];
  isBefore18 = version < 180_000;
  // Policies do not hold for a superuser.
  await bench.executor.query(
    'DO $$ BEGIN CREATE ROLE random_template_user; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$',
  );
});
afterAll(() => bench.close());

it(
  'a clone of whatever template has its fingerprint and behaves alike',
  async () => {
    await fc.assert(
      fc.asyncProperty(randomTemplate, async ({ script, trials, isWrittenByHand }) => {
        await bench.build('template', isBefore18 ? withoutUnproven(script) : script);
        await bench.clone('template', 'clone', { written: isWrittenByHand });
        // What was written by hand may print otherwise the first time, and no more then.
        const { fingerprint } = await bench.cloneByBlueprint('clone', 'again');
        expect(await bench.inTransaction(() => fingerprintSchema(bench.executor, 'again'))).toBe(fingerprint);
        expect(await outcomes('clone', trials)).toEqual(await outcomes('template', trials));
      }),
      // To make a failing template smaller takes longest: what is found in time is told.
      { numRuns: COUNT, seed: SEED, interruptAfterTimeLimit: SEARCH_MS, endOnFailure: !SHRINKS },
    );
  },
  TIMEOUT_MS,
);

/** Before PostgreSQL 18 a partitioned table can have no foreign key that is NOT VALID. */
function withoutUnproven(script: string): string {
  return script.replaceAll(/(CONSTRAINT "to parent" FOREIGN KEY .*?) NOT VALID;/g, '$1;');
}

/** What each statement gives, as somebody who is no superuser: rows, or SQLSTATE. All is rolled back. */
async function outcomes(schema: string, statements: readonly string[]): Promise<unknown[]> {
  await bench.executor.query(
    `GRANT USAGE ON SCHEMA ${schema} TO random_template_user;
     GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO random_template_user; GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO random_template_user`,
  );
  return bench.trial(schema, async () => {
    await bench.executor.query('SET LOCAL ROLE random_template_user');
    const found: unknown[] = [];
    let before = 'SAVEPOINT here';
    for (const statement of statements) {
      try {
        // One message, since there are hundreds of them.
        const results = (await bench.executor.query(`${before}; ${statement}`)) as { rows: unknown[] }[];
        found.push(results.at(-1)?.rows);
        before = 'RELEASE here; SAVEPOINT here';
      } catch (error) {
        found.push(refusal((error as { code?: string }).code) ?? error);
        before = 'ROLLBACK TO here';
      }
    }
    return found;
  });
}

/** SQLSTATE, where it does not hang on which is older, an index or a constraint: of two broken keys PostgreSQL names the older. */
function refusal(code: string | undefined): string | undefined {
  return code === '23P01' ? '23505' : code;
}
