import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from './database';

/** A database with a role that owns what is made there and may make roles, and one that requests log in as. */
export interface RolesDatabase extends TestDatabase {
  /** Names of the two roles. */
  readonly admin: string;
  readonly login: string;
  readonly adminUrl: string;
  /** Requests', directly. */
  readonly loginUrl: string;
}

/** Sessions of the login role begin with an empty path: a pooler drops the start-up option that asks for it. */
export async function createRolesDatabase(): Promise<RolesDatabase> {
  const database = await createTestDatabase();
  const suffix = randomBytes(8).toString('hex');
  const [admin, login, password] = [`admin_${suffix}`, `login_${suffix}`, randomBytes(12).toString('hex')];
  const { pathname } = new URL(database.url);
  await database.query(
    `CREATE ROLE ${admin} LOGIN CREATEROLE PASSWORD '${password}';
     CREATE ROLE ${login} LOGIN NOINHERIT PASSWORD '${password}';
     ALTER ROLE ${login} SET search_path = '';
     GRANT CREATE ON DATABASE ${pathname.slice(1)} TO ${admin}`,
  );
  const urlOf = (username: string) => Object.assign(new URL(database.url), { username, password }).href;
  return {
    ...database,
    admin,
    login,
    adminUrl: urlOf(admin),
    loginUrl: urlOf(login),
    drop: async () => {
      const [{ names }] = await database.query<{ names: string[] }>(
        `SELECT array(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = '${login}'::regrole) AS names`,
      );
      // In its own database: rights that the roles have there would keep them.
      await database.query(`DROP OWNED BY ${[...names, login, admin].join(', ')} CASCADE`);
      await database.query(`DROP ROLE ${[...names, login, admin].join(', ')}`);
      await database.drop();
    },
  };
}
