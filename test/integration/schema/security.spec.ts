import { compileBlueprint } from '../../../lib/schema/blueprint';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { securityTemplates } from './security-templates';
import { expectOtherPrints, type Prints, SchemaBench } from './support';

let bench: SchemaBench;

// Roles belong to the server, where other tests run too.
const READER = `reader_${process.pid}`;
const WRITER = `"Odd ""role"" %s ${process.pid}"`;

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query(`CREATE ROLE ${READER}; CREATE ROLE ${WRITER}`);
  await bench.executor.query(
    `CREATE PUBLICATION tables_; CREATE PUBLICATION "Odd ""one"""; CREATE PUBLICATION schemas_; CREATE SCHEMA shared`,
  );
});

afterAll(async () => {
  await bench.executor.query(
    `DROP OWNED BY ${READER}, ${WRITER} CASCADE; DROP ROLE ${READER}; DROP ROLE ${WRITER}`,
  );
  await bench.close();
});

const fingerprint = (schema: string) => bench.inTransaction(() => fingerprintSchema(bench.executor, schema));

describe('a clone is exact, and so is a clone of the clone, of', () => {
  it.each(Object.entries(securityTemplates(READER, WRITER)))('%s', async (_, script) => {
    await bench.build('template', script);
    const statements = await bench.clone('template', 'clone');
    const again = await bench.inTransaction(() => compileBlueprint(bench.executor, 'clone'));
    expect(again.statements).toEqual(statements);
    await bench.clone('clone', 'grandchild');
    expect(await fingerprint('grandchild')).toBe(await fingerprint('template'));
  });
});

const onSchema = (command: string) =>
  `DO $do$ BEGIN EXECUTE replace($c$${command}$c$, 'THIS', quote_ident(current_schema())); END $do$`;

/** By template: what changes it in one property. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  policies: [
    'DROP POLICY nothing ON secrets',
    'ALTER POLICY nothing ON secrets RENAME TO x',
    `ALTER POLICY "For Some" ON secrets TO ${WRITER}`,
    'ALTER POLICY "For Some" ON secrets TO PUBLIC',
    'ALTER POLICY everything ON secrets USING (true)',
    'ALTER POLICY checked ON secrets WITH CHECK (level > 1)',
    'DROP POLICY nothing ON secrets; CREATE POLICY nothing ON secrets FOR UPDATE',
    'DROP POLICY nothing ON secrets; CREATE POLICY nothing ON secrets AS RESTRICTIVE FOR SELECT',
    'ALTER TABLE secrets DISABLE ROW LEVEL SECURITY',
    'ALTER TABLE secrets FORCE ROW LEVEL SECURITY',
    'ALTER TABLE members NO FORCE ROW LEVEL SECURITY',
    `COMMENT ON POLICY twofold ON secrets IS 'x'`,
  ],
  'grants on everything': [
    `REVOKE INSERT ON t FROM ${READER}`,
    `GRANT DELETE ON t TO ${READER}`,
    'GRANT SELECT ON t TO PUBLIC',
    `REVOKE GRANT OPTION FOR SELECT ON t FROM ${WRITER}`,
    `REVOKE SELECT (a) ON t FROM ${READER}`,
    `GRANT SELECT ("B c") ON t TO ${READER}`,
    'REVOKE SELECT (ctid) ON t FROM PUBLIC',
    'GRANT SELECT ON closed TO CURRENT_USER',
    `REVOKE SELECT ON v FROM ${READER}`,
    `REVOKE SELECT ON m FROM ${READER}`,
    `REVOKE SELECT ON p FROM ${READER}`,
    `REVOKE USAGE ON t_id_seq FROM ${READER}`,
    `REVOKE EXECUTE ON FUNCTION f(integer, text[]) FROM ${READER}`,
    'GRANT EXECUTE ON FUNCTION f(text) TO PUBLIC',
    'GRANT EXECUTE ON PROCEDURE c TO PUBLIC',
    'GRANT EXECUTE ON FUNCTION total(integer) TO PUBLIC',
    'REVOKE USAGE ON TYPE c FROM PUBLIC',
    `REVOKE USAGE ON TYPE d FROM ${READER}`,
    `ALTER TABLE bare OWNER TO ${READER}`,
    `ALTER FUNCTION f(text) OWNER TO ${READER}`,
    `ALTER TYPE e OWNER TO ${READER}`,
  ],
  'grants on the schema': [
    onSchema(`REVOKE USAGE ON SCHEMA THIS FROM ${READER}`),
    onSchema(`REVOKE GRANT OPTION FOR CREATE ON SCHEMA THIS FROM ${WRITER}`),
    onSchema('GRANT CREATE ON SCHEMA THIS TO CURRENT_USER'),
  ],
  'default privileges': [
    onSchema(`ALTER DEFAULT PRIVILEGES IN SCHEMA THIS REVOKE INSERT ON TABLES FROM ${READER}`),
    onSchema(
      `ALTER DEFAULT PRIVILEGES IN SCHEMA THIS REVOKE GRANT OPTION FOR SELECT ON TABLES FROM ${WRITER}`,
    ),
    onSchema('ALTER DEFAULT PRIVILEGES IN SCHEMA THIS REVOKE ALL ON SEQUENCES FROM PUBLIC'),
    onSchema(`ALTER DEFAULT PRIVILEGES FOR ROLE ${READER} IN SCHEMA THIS REVOKE ALL ON TYPES FROM ${WRITER}`),
  ],
  publications: [
    'ALTER PUBLICATION tables_ DROP TABLE whole',
    'ALTER PUBLICATION tables_ SET TABLE whole, part ("B c", id, c) WHERE (id > 5 AND id < 9), split',
    'ALTER PUBLICATION tables_ SET TABLE whole, part ("B c", id) WHERE (id > 5), split',
    'ALTER PUBLICATION "Odd ""one""" ADD TABLE split',
    'ALTER PUBLICATION schemas_ DROP TABLES IN SCHEMA CURRENT_SCHEMA',
  ],
};

describe.each(Object.entries(securityTemplates(READER, WRITER)))(
  'the fingerprint of %s changes with',
  (subject, script) => {
    beforeAll(() => bench.build('template', script));

    it.each(CHANGES[subject])('%s', async (change) => {
      const [before, after] = await bench.trial('template', async () => [
        await bench.prints('template'),
        (await bench.executor.query(change)) && (await bench.prints('template')),
      ]);
      expectOtherPrints(after as Prints, before);
    });
  },
);

describe('the clone', () => {
  const as = async <T>(role: string, work: () => Promise<T>): Promise<T> => {
    await bench.executor.query(`SET LOCAL ROLE ${role}`);
    try {
      return await work();
    } finally {
      await bench.executor.query('RESET ROLE').catch(() => undefined);
    }
  };

  it('hides rows by its own policies, which look into its own tables', async () => {
    await bench.build(
      'template',
      `CREATE TABLE members (name name);
       CREATE TABLE notes (id integer);
       ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
       CREATE POLICY of_members ON notes TO ${READER} USING (EXISTS (SELECT FROM members WHERE name = current_user));
       GRANT SELECT ON ALL TABLES IN SCHEMA template TO ${READER};
       GRANT USAGE ON SCHEMA template TO ${READER};`,
    );
    await bench.clone('template', 'clone');
    await bench.trial('clone', async () => {
      await bench.executor.query(
        `INSERT INTO notes VALUES (1); INSERT INTO template.members VALUES ('${READER}')`,
      );
      const seen = () => as(READER, () => bench.rows('SELECT id FROM notes'));
      expect(await seen()).toEqual([]);
      await bench.executor.query(`INSERT INTO members VALUES ('${READER}')`);
      expect(await seen()).toEqual([{ id: 1 }]);
    });
  });

  it('lets the same roles in, and gives what is made later to those of the default privileges', async () => {
    await bench.build(
      'template',
      `CREATE TABLE open (id integer, secret text); CREATE TABLE shut (id integer);
       GRANT SELECT (id) ON open TO ${READER};
       ALTER DEFAULT PRIVILEGES IN SCHEMA template GRANT SELECT ON TABLES TO ${READER};
       GRANT USAGE ON SCHEMA template TO ${READER};`,
    );
    await bench.clone('template', 'clone');
    const attempt = (query: string) =>
      bench.trial('clone', async () => {
        await bench.executor.query('CREATE TABLE later (id integer)');
        return as(READER, () => bench.rows(query));
      });
    await expect(attempt('SELECT id FROM open')).resolves.toEqual([]);
    await expect(attempt('SELECT id FROM later')).resolves.toEqual([]);
    await expect(attempt('SELECT secret FROM open')).rejects.toThrow('permission denied');
    await expect(attempt('SELECT id FROM shut')).rejects.toThrow('permission denied');
  });

  it('has the template’s grants where new objects usually get others', async () => {
    await bench.build(
      'template',
      'CREATE TABLE t (id integer); CREATE FUNCTION f() RETURNS integer LANGUAGE sql RETURN 1',
    );
    await bench.executor.query(
      `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${READER}; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
    );
    try {
      await bench.clone('template', 'clone');
      expect(
        await bench.rows(
          `SELECT has_table_privilege($1, 'clone.t', 'SELECT') AS t, has_function_privilege($1, 'clone.f()', 'EXECUTE') AS f`,
          [READER],
        ),
      ).toEqual([{ t: false, f: true }]);
    } finally {
      await bench.executor.query(
        `ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM ${READER}; ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC`,
      );
    }
  });

  it('is published as the template is', async () => {
    await bench.build(
      'template',
      'CREATE TABLE published (id integer PRIMARY KEY); ALTER PUBLICATION schemas_ ADD TABLES IN SCHEMA template',
    );
    await bench.clone('template', 'clone');
    expect(
      await bench.rows(
        `SELECT schemaname AS schema FROM pg_publication_tables WHERE tablename = 'published' ORDER BY 1`,
      ),
    ).toEqual([{ schema: 'clone' }, { schema: 'template' }]);
  });
});

describe('an owner who is no superuser', () => {
  const OWNER = `owner_${process.pid}`;

  const asOwner = async (work: () => Promise<void>) => {
    await bench.executor.query(
      `CREATE ROLE ${OWNER}; DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${OWNER}', current_database()); END $$; SET ROLE ${OWNER}`,
    );
    try {
      await work();
    } finally {
      await bench.executor.query(`RESET ROLE; DROP OWNED BY ${OWNER} CASCADE; DROP ROLE ${OWNER}`);
    }
  };

  it('clones policies, grants, partitions and inheritance', () =>
    asOwner(async () => {
      await bench.build(
        'owned',
        `CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT;
         CREATE TABLE top (id integer); CREATE TABLE kid () INHERITS (top); ALTER TABLE top ADD later integer;
         ALTER TABLE top ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY mine ON top USING (id > 1);
         CREATE MATERIALIZED VIEW m AS SELECT * FROM top;
         CREATE TABLE shut (id integer); REVOKE ALL ON shut FROM ${OWNER};
         GRANT SELECT ON p TO ${READER}; GRANT USAGE ON SCHEMA owned TO ${READER};
         ALTER DEFAULT PRIVILEGES IN SCHEMA owned GRANT SELECT ON TABLES TO ${READER};`,
      );
      await bench.clone('owned', 'owned_clone');
    }));

  it.each([
    ['ALTER PUBLICATION tables_ ADD TABLE owned.t', 'publication of table t in publication tables_'],
    ['ALTER PUBLICATION schemas_ ADD TABLES IN SCHEMA owned', 'publication of schema owned'],
    [
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${READER} IN SCHEMA owned GRANT SELECT ON TABLES TO PUBLIC`,
      `default privileges on new relations belonging to role ${READER}`,
    ],
    ['ALTER TABLE owned.t OWNER TO CURRENT_USER', 'table t: another user than the current one owns it'],
    [
      'CREATE STATISTICS owned.s ON id, x FROM owned.t',
      'statistics object s: another user than the current one owns it',
    ],
  ])('is refused what it may not do to the clone: %s', (change, obstacle) =>
    asOwner(async () => {
      await bench.build('owned', 'CREATE TABLE t (id integer, x integer)');
      await bench.executor.query(`RESET ROLE; ${change}; SET ROLE ${OWNER}`);
      await expect(bench.clone('owned', 'owned_clone')).rejects.toThrow(obstacle);
    }),
  );

  it.each([
    'ALTER TABLE notes FORCE ROW LEVEL SECURITY, ENABLE ROW LEVEL SECURITY',
    `REVOKE ALL ON notes FROM ${OWNER}`,
  ])('is told of rows that %s hides', (change) =>
    asOwner(async () => {
      await bench.build('owned', `CREATE TABLE notes (id integer); INSERT INTO notes VALUES (1); ${change}`);
      await expect(bench.clone('owned', 'owned_clone')).rejects.toThrow('rows of table notes');
    }),
  );
});
