import { compileBlueprint } from '../../../lib/schema/blueprint';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { EVERY_OBJECT, SURROUNDINGS } from '../../support/every-object/every-object';
import { SchemaBench } from './support';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
  for (const statement of SURROUNDINGS) await bench.executor.query(statement);
});
afterAll(() => bench.close());

const fingerprintOf = (schemaName: string) =>
  bench.inTransaction(() => fingerprintSchema(bench.executor, schemaName));
const statementsOf = async (schemaName: string) =>
  (await bench.inTransaction(() => compileBlueprint(bench.executor, schemaName))).statements;

/** test/oracle asks pg_dump the same, where there is one. */
describe('A clone is like its template, which holds', () => {
  it.each([...Object.entries(EVERY_OBJECT), ['all of it', Object.values(EVERY_OBJECT).join('\n')] as const])(
    '%s',
    async (_subject, script) => {
      await bench.build('template', script);
      const statements = await bench.clone('template', 'clone');
      expect(await fingerprintOf('clone')).toBe(await fingerprintOf('template'));
      expect(await statementsOf('clone')).toEqual(statements);
      // Nothing of the clone goes with the template.
      await bench.executor.query('DROP SCHEMA template CASCADE');
      expect(await statementsOf('clone')).toEqual(statements);
    },
  );
});
