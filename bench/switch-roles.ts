import { Client } from 'pg';
import { prepareTenantRole } from '../lib/provisioning/roles/role-grants';
import { roleOfSchema } from '../lib/registry/tenant-role';
import type { Tenant } from '../lib/registry/tenant';
import { requestLogin } from './request-login';

/** A role for each tenant, and one that may become any of them. */
export interface FleetRoles {
  /** That of the login role. */
  readonly url: string;
  drop(): Promise<void>;
}

export async function makeFleetRoles(url: string, fleet: readonly Tenant[]): Promise<FleetRoles> {
  const login = requestLogin();
  await withClient(url, async (client) => {
    await client.query(login.create);
    const transaction = {
      query: async (sql: string, values?: unknown[]) => (await client.query<object>(sql, values)).rows,
    };
    for (const { schemaName } of fleet) await prepareTenantRole(transaction, schemaName, login.name);
    // Each grant has written a row of the catalog anew.
    await client.query('VACUUM (ANALYZE)');
  });
  return {
    url: login.urlOn(url),
    drop: () =>
      withClient(url, async (client) => {
        const names = [...fleet.map(({ schemaName }) => roleOfSchema(schemaName)), login.name].join(', ');
        await client.query(`DROP OWNED BY ${names}`);
        await client.query(`DROP ROLE ${names}`);
      }),
  };
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
