import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseRefusedError } from '../lib/connection/connection-start.errors';
import { RegistryRightsError } from '../lib/registry/registry-start.errors';
import { SharedSchemaMissingError } from '../lib';
import { StartFailedError } from '../lib/common/start.errors';

/** Words of SQL before which or after which a name stands that somebody is told to write. */
const UNQUOTED =
  /\b(?:ALTER|CREATE|DATABASE|DROP|EXTENSION|FROM|ON|OWNER TO|REVOKE|ROLE|SCHEMA|SEQUENCE|TABLE|TO) "\$\{/;

const NAME = 'we"ird';
const QUOTED = '"we""ird"';
const login = { address: 'db:5432', user: NAME, database: NAME, origin: 'DATABASE_URL' };
const refused = (code: string, message: string) =>
  new DatabaseRefusedError(login, Object.assign(new Error(message), { code })).message;

describe('A remedy in SQL', () => {
  it('quotes its names as PostgreSQL reads them, wherever it stands', () => {
    const files = readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter((file) =>
      /(?<!\.spec)\.ts$/.test(file),
    );
    const unquoted = files.flatMap((file) =>
      readFileSync(join('lib', file), 'utf8')
        .split('\n')
        .flatMap((line, index) => (UNQUOTED.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
    );
    expect(files.length).toBeGreaterThan(100);
    expect(unquoted).toEqual([]);
  });

  it.each([
    [
      'a right that lacks',
      new StartFailedError('It', Object.assign(new Error('no'), { code: '42501' }), login).message,
      `GRANT CREATE ON DATABASE ${QUOTED} TO ${QUOTED}`,
    ],
    ['a database', refused('3D000', 'no such'), `CREATE DATABASE ${QUOTED}`],
    [
      'a closed database',
      refused('55000', 'database "x" is not currently accepting connections'),
      `ALTER DATABASE ${QUOTED} ALLOW_CONNECTIONS true`,
    ],
    ['a role', refused('28000', 'role "x" is not permitted to log in'), `ALTER ROLE ${QUOTED} LOGIN`],
    ['a schema', new SharedSchemaMissingError([NAME]).message, `CREATE SCHEMA ${QUOTED}`],
    ['a registry', new RegistryRightsError(NAME, [], new Error('no')).message, `ON SCHEMA ${QUOTED} TO`],
  ])('doubles the quotes within a name: %s', (_what, said, sql) => {
    expect(said).toContain(sql);
  });

  it('speaks of pg_hba.conf where PostgreSQL does', () => {
    expect(refused('28000', 'no pg_hba.conf entry for host "10.0.0.1"')).toMatch(/let that user in \(pg_hba/);
    for (const code of ['55000', '42704', '22023', '28000', '0A000'])
      expect(refused(code, 'something else')).not.toContain('pg_hba.conf');
  });
});
