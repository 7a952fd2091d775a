import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/**
 * The server's URL for a role of its own, whose sessions start with an empty path: a pooler drops the start-up option
 * that asks for it. A superuser, since the tests vacuum and truncate what another role has made.
 */
export async function createPooledRole(serverUrl: string): Promise<string> {
  const url = new URL(serverUrl);
  url.username = 'pooled';
  url.password = randomBytes(24).toString('hex');
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`CREATE ROLE pooled LOGIN SUPERUSER PASSWORD '${url.password}'`);
    await client.query(`ALTER ROLE pooled SET search_path = ''`);
  } finally {
    await client.end();
  }
  return url.href;
}
