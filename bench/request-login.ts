import { randomBytes } from 'node:crypto';

/** What requests log in as, where each tenant has a role of its own. */
export interface RequestLogin {
  readonly name: string;
  /** The statement that makes it. */
  readonly create: string;
  /** That of a server, for this login. */
  urlOn(server: string): string;
}

export function requestLogin(): RequestLogin {
  const name = `bench_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  return {
    name,
    create: `CREATE ROLE ${name} LOGIN NOINHERIT PASSWORD '${password}'`,
    urlOn: (server) => Object.assign(new URL(server), { username: name, password }).href,
  };
}
