import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findPgDump } from '../support/system/programs';

/** What `pg_dump --schema-only` says of one schema. */
export async function pgDump(databaseUrl: string, schemaName: string): Promise<string> {
  const args = ['--schema-only', '--schema', `"${schemaName}"`, '--dbname', databaseUrl];
  const { stdout } = await promisify(execFile)(findPgDump(), args, { maxBuffer: 64 * 1024 * 1024 });
  // Newer minor versions put a random key into their first and last lines.
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
}
