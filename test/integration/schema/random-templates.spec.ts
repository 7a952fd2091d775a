import fc from 'fast-check';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { randomTemplate } from './random-templates/random-template';
import { SchemaBench } from './support';

/** The same each time, so that what goes red was changed. For other templates: TEMPLATES_SEED; for more: TEMPLATES_COUNT. */
const SEED = Number(process.env.TEMPLATES_SEED ?? 1);
const COUNT = Number(process.env.TEMPLATES_COUNT ?? 40);

const SEARCH_MS = COUNT * 3_750;
const TIMEOUT_MS = SEARCH_MS + 30_000;

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
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
      fc.asyncProperty(randomTemplate, async ({ script, trials }) => {
        await bench.build('template', script);
        await bench.clone('template', 'clone', { written: true });
        // What was written by hand may print otherwise the first time, and no more then.
        await bench.clone('clone', 'again');
        const [clone, again] = await bench.inTransaction(async () => [
          await fingerprintSchema(bench.executor, 'clone'),
          await fingerprintSchema(bench.executor, 'again'),
        ]);
        expect(again).toBe(clone);
        expect(await outcomes('clone', trials)).toEqual(await outcomes('template', trials));
      }),
      // To make a failing template smaller takes longest: what is found in time is told.
      { numRuns: COUNT, seed: SEED, interruptAfterTimeLimit: SEARCH_MS },
    );
  },
  TIMEOUT_MS,
);

/** What each statement gives, as somebody who is no superuser: rows, or SQLSTATE. All is rolled back. */
async function outcomes(schema: string, statements: readonly string[]): Promise<unknown[]> {
  await bench.executor.query(
    `GRANT USAGE ON SCHEMA ${schema} TO random_template_user;
     GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO random_template_user; GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO random_template_user`,
  );
  return bench.trial(schema, async () => {
    await bench.executor.query('SET LOCAL ROLE random_template_user');
    const found: unknown[] = [];
    for (const statement of statements) {
      await bench.executor.query('SAVEPOINT here');
      try {
        found.push(await bench.rows(statement));
      } catch (error) {
        found.push(refusal((error as { code?: string }).code) ?? error);
        await bench.executor.query('ROLLBACK TO here');
      }
    }
    return found;
  });
}

/** SQLSTATE, where it does not hang on which is older, an index or a constraint: of two broken keys PostgreSQL names the older. */
function refusal(code: string | undefined): string | undefined {
  return code === '23P01' ? '23505' : code;
}
