import { randomBytes } from 'node:crypto';
import { queryAt } from './bench-server';

/** What requests log in as, where each tenant has a role of its own. */
export interface RequestLogin {
  readonly url: string;
  drop(): Promise<void>;
}

/** It may become as many roles as there are tenants already, since PostgreSQL looks all of them up at a sign-up. */
export async function makeRequestLogin(url: string, tenants: number): Promise<RequestLogin> {
  const login = `bench_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const others = Array.from({ length: tenants }, (_, i) => `${login}_${i}`);
  const roles = others.map((name) => `CREATE ROLE ${name} ROLE ${login}`);
  await queryAt(url, [`CREATE ROLE ${login} LOGIN NOINHERIT PASSWORD '${password}'`, ...roles].join(';\n'));
  return {
    url: Object.assign(new URL(url), { username: login, password }).href,
    drop: () => queryAt(url, `DROP ROLE ${[login, ...others].join(', ')}`).then(() => undefined),
  };
}
