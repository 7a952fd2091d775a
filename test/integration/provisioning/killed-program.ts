import 'reflect-metadata';
import { act, type Action } from './acting-app';

/** Does one thing to tenants, and is killed in the middle of its n-th statement. */
const [url, storeUrl, euUrl, action, killAt, slug] = process.argv.slice(2);

void act({ url, storeUrl, euUrl, action: action as Action, slug }, (sent) => {
  // PostgreSQL has the statement, or is about to; nobody waits for its answer.
  if (sent === Number(killAt)) process.kill(process.pid, 'SIGKILL');
});
