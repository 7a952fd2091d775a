import type { OwnClient } from './redis-connection';

/** What is to be said at the start of servers that do not keep what they are given. */
export async function adviceFor(servers: readonly OwnClient[]): Promise<string[]> {
  const found = await Promise.all(servers.map(adviceForOne));
  return [...new Set(found.flat())];
}

async function adviceForOne(server: OwnClient): Promise<string[]> {
  if (server.status === 'wait') await server.connect().catch(() => undefined);
  // Servers that are rented often refuse both, and say nothing of themselves.
  const about = async (section: string) => fieldsOf(await server.info(section).catch(() => ''));
  const policy = (await about('memory')).get('maxmemory_policy');
  const isAppendOnly = (await about('persistence')).get('aof_enabled');
  const [, save] = await server.config('GET', 'save').catch(() => []);
  const advice: string[] = [];
  if (policy?.startsWith('allkeys-'))
    advice.push(
      `Redis has the maxmemory-policy ${policy}, which evicts the registry of tenants when memory is short. Give the registry a ` +
        'Redis of its own, or set noeviction.',
    );
  if (isAppendOnly === '0')
    advice.push(
      save === ''
        ? 'Redis keeps nothing on disk, so the registry of tenants is lost when it is restarted. Set appendonly yes.'
        : 'Redis writes snapshots only, so tenants that were made or changed since the last one are lost when it crashes. Set ' +
            'appendonly yes.',
    );
  return advice;
}

function fieldsOf(info: string): ReadonlyMap<string, string> {
  return new Map(
    info.split('\r\n').map((line) => {
      const [name, ...value] = line.split(':');
      return [name, value.join(':')] as const;
    }),
  );
}
