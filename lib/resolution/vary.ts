import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { TenantResolver } from './tenant-resolver';

type Headers = OutgoingHttpHeaders | readonly (readonly [string, string])[] | readonly string[];

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
    const [given, rest] = taken(args.at(-1));
    const kept = [response.getHeader('vary') ?? []].flat() as string[];
    response.setHeader('Vary', joined([...kept, ...given, names].flatMap((text) => text.split(','))));
    return writeHead(...args.slice(0, -1), rest);
  };
}

/** The values of `Vary` among the headers given to `writeHead()`, and all other headers. */
function taken(headers: unknown): [values: string[], rest: unknown] {
  // The last argument may be the status or its text.
  if (typeof headers !== 'object' || headers === null) return [[], headers];
  const [vary, others] = [[] as string[], [] as [string, unknown][]];
  for (const [name, value] of pairsOf(headers as Headers)) {
    if (name.toLowerCase() === 'vary') vary.push(...[value].flat().map(String));
    else others.push([name, value]);
  }
  if (vary.length === 0) return [[], headers];
  return [vary, Array.isArray(headers) ? others.flat() : Object.fromEntries(others)];
}

/** Node takes an object, and a list of names and values in turn. */
function pairsOf(headers: Headers): [string, unknown][] {
  if (!Array.isArray(headers)) return Object.entries(headers);
  const flat = headers.flat() as string[];
  return flat.flatMap((name, index) =>
    index % 2 === 0 ? [[name, flat[index + 1]] as [string, unknown]] : [],
  );
}

/** Each name once, in whatever case; a star says all of them. */
function joined(names: readonly string[]): string {
  const byName = new Map(names.map((name) => [name.trim().toLowerCase(), name.trim()]));
  byName.delete('');
  return byName.has('*') ? '*' : [...byName.values()].join(', ');
}
