import { queryAt } from './bench-server';
import { requestLogin } from './request-login';

/** A login for requests, until it is dropped. */
export interface LoginOfMany {
  readonly url: string;
  drop(): Promise<void>;
}

/** It may become as many roles as there are tenants already, since PostgreSQL looks all of them up at a sign-up. */
export async function makeLoginOfMany(url: string, tenants: number): Promise<LoginOfMany> {
  const { name: login, create, urlOn } = requestLogin();
  const others = Array.from({ length: tenants }, (_, i) => `${login}_${i}`);
  await queryAt(url, [create, ...others.map((name) => `CREATE ROLE ${name} ROLE ${login}`)].join(';\n'));
  return {
    url: urlOn(url),
    drop: () => queryAt(url, `DROP ROLE ${[login, ...others].join(', ')}`).then(() => undefined),
  };
}
