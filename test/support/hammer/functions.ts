import { check, type Operation, READ_ALL, type Row, withClient } from './operation';

/** Of the tenants' own schemas: what they leave in the session, no text of a statement shows. */
export const CREATE_FUNCTIONS = `
  CREATE FUNCTION report() RETURNS TABLE (owner text) LANGUAGE plpgsql AS $$
    BEGIN
      CREATE TEMP TABLE IF NOT EXISTS tmp_report (line text);
      INSERT INTO tmp_report SELECT account.owner FROM account;
      RETURN QUERY SELECT line FROM tmp_report;
    END $$;
  CREATE FUNCTION hold() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      EXECUTE 'DECLARE held_inside CURSOR WITH HOLD FOR SELECT owner FROM account';
    EXCEPTION WHEN duplicate_cursor THEN NULL;
    END $$;
  CREATE FUNCTION held() RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE
      found refcursor := 'held_inside';
      line text;
    BEGIN
      LOOP
        FETCH found INTO line;
        EXIT WHEN line IS NULL;
        RETURN NEXT line;
      END LOOP;
    EXCEPTION WHEN invalid_cursor_name THEN NULL;
    END $$;
  CREATE FUNCTION steal() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      each text;
    BEGIN
      FOR each IN SELECT name FROM pg_prepared_statements LOOP
        EXECUTE format('DEALLOCATE %I', each);
        EXECUTE format('PREPARE %I AS SELECT owner FROM %I.account', each, current_schema());
      END LOOP;
    END $$;`;

export const DROP_FUNCTIONS = 'DROP FUNCTION report(), hold(), held(), steal()';

/** Functions that leave something in the session, and those that find it there. */
export const FUNCTIONS: Readonly<Record<string, Operation>> = {
  readReport: async (world) => {
    check(world, await world.dataSource.query<Row[]>('SELECT owner FROM report()'), 'report of a function');
  },

  readReportInTransaction: async (world) => {
    const rows = await world.dataSource.transaction((manager) =>
      manager.query<Row[]>('SELECT owner FROM report()'),
    );
    check(world, rows, 'report in a transaction');
  },

  holdCursorInFunction: async ({ dataSource }) => {
    await dataSource.query('SELECT hold()');
  },

  readHeldCursor: ({ dataSource }) => dataSource.query('SELECT held()'),

  readHeldCursorInTransaction: ({ dataSource }) =>
    dataSource.transaction((manager) => manager.query('SELECT held()')),

  /** Puts its own in the place of what the session has prepared: for the system, or for another tenant. */
  replacePreparedStatements: ({ dataSource }) => dataSource.query('SELECT steal()'),

  readByName: (world) =>
    withClient(world, async (client) => {
      const { rows } = await client.query<Row>({ name: 'accounts', text: READ_ALL });
      check(world, rows, 'by the name of a statement');
    }),
};
