import { ownDatabase } from './app';

describe('Shared schemas behind those of the tenants', () => {
  const { database, start, closeAll } = ownDatabase();

  beforeEach(() => database.query('CREATE SCHEMA reference'));

  const warningsOf = async (sharedSchemas: string[]): Promise<string[]> => {
    const { log } = await start({ sharedSchemas });
    return log.warnings;
  };

  it('are told of when the template has the same names', async () => {
    await database.query('CREATE TABLE reference.note (id int); CREATE TABLE reference.country (code text)');
    await expect(warningsOf(['reference'])).resolves.toEqual([
      expect.stringMatching(/"reference" has note, as the template does.*Rename or drop them/),
      expect.stringMatching(/may CREATE in the shared schema "reference"/),
    ]);
  });

  it('are told of when code could make something in them', async () => {
    await expect(warningsOf(['reference'])).resolves.toEqual([
      expect.stringMatching(
        /may CREATE in the shared schema "reference".*REVOKE CREATE ON SCHEMA "reference" FROM/,
      ),
    ]);
  });

  it('may be written by the login role when it runs their migrations', async () => {
    const { log } = await start({ sharedSchemas: ['reference'], sharedMigrations: { reference: [] } });
    expect(log.warnings).toEqual([]);
  });

  it('are nothing to tell of when they have other names and belong to another role', async () => {
    const name = new URL(database.url).pathname.slice(1);
    const role = `app_${name}`;
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret' INHERIT;
      GRANT CREATE ON DATABASE ${name} TO ${role}; GRANT USAGE ON SCHEMA reference TO ${role};
      CREATE TABLE reference.country (code text)`);
    try {
      const url = Object.assign(new URL(database.url), { username: role, password: 'secret' }).href;
      const { log } = await start({ sharedSchemas: ['reference'], database: { url } });
      expect(log.warnings).toEqual([]);
    } finally {
      await closeAll();
      await database.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
    }
  });

  it('are nothing to tell of when there are none', async () => {
    await expect(warningsOf([])).resolves.toEqual([]);
  });
});
