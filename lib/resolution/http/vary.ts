import type { ServerResponse } from 'node:http';
import type { TenantResolver } from '../resolvers/tenant-resolver';

/** A header may have several values. */
type Pair = readonly [name: string, value: unknown];

/** What of a request decides on its tenant, as `Vary` says it (RFC 9110, 12.5.5); `''` when its URL alone does. */
export function varyOf(resolvers: readonly TenantResolver[]): string {
  return joined(resolvers.flatMap(({ vary = ['*'] }) => vary));
}

/**
 * Adds to the `Vary` of an answer when its headers are written, to whatever else is in it by then. Express and middleware
 * set it on the response, Fastify gives it to `writeHead()`.
 */
export function addVary(response: ServerResponse, namesAtLast: () => string): void {
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = (...args: unknown[]): ServerResponse => {
    const names = namesAtLast();
    if (names === '') return writeHead(...args);
    const headers = args.at(-1);
    const pairs = pairsOf(headers);
    const kept = [response.getHeader('vary') ?? []].flat() as string[];
    const given = pairs.filter(isVary).flatMap(([, value]) => [value].flat().map(String));
    const vary = joined([...kept, ...given, names].flatMap((text) => text.split(',')));
    const others = pairs.filter((pair) => !isVary(pair));
    // Beside a header that was set, Node keeps of a list the last of each name: of two cookies, one.
    if (Array.isArray(headers))
      return writeHead(...args.slice(0, -1), [
        ...others.flatMap(([name, value]) => [name, value]),
        'Vary',
        vary,
      ]);
    response.setHeader('Vary', vary);
    return others.length === pairs.length
      ? writeHead(...args)
      : writeHead(...args.slice(0, -1), Object.fromEntries(others));
  };
}

/** Node takes an object, a list of names and values in turn, and a list of pairs. The last argument may be none of them. */
function pairsOf(headers: unknown): Pair[] {
  if (typeof headers !== 'object' || headers === null) return [];
  if (!Array.isArray(headers)) return Object.entries(headers);
  if (Array.isArray(headers[0])) return headers as Pair[];
  return headers.flatMap((name: string, index) =>
    index % 2 === 0 ? [[name, headers[index + 1]] as Pair] : [],
  );
}

function isVary([name]: Pair): boolean {
  return name.toLowerCase() === 'vary';
}

/** Each name once, in whatever case; a star says all of them. */
function joined(names: readonly string[]): string {
  const byName = new Map(names.map((name) => [name.trim().toLowerCase(), name.trim()]));
  byName.delete('');
  return byName.has('*') ? '*' : [...byName.values()].join(', ');
}
