import type { ServerResponse } from 'node:http';
import type { TenantResolver } from '../resolvers/tenant-resolver';

/** A header may have several values. */
type Pair = readonly [name: string, value: unknown];

/** What of a request decides on its tenant, as `Vary` says it (RFC 9110, 12.5.5); `''` when its URL alone does. */
export function varyOf(resolvers: readonly TenantResolver[]): string {
  return joined(resolvers.flatMap(({ vary = ['*'] }) => vary));
}

/** The `Vary` of answers that are made for one tenant. */
export class VaryHeader {
  /** What was in the last answer's `Vary`, and what came of it: a server's answers rarely differ in it. */
  #before: string | undefined;
  #after = '';

  /** `names` as `varyOf()` gives them; `''` adds nothing. */
  constructor(private readonly names: string) {}

  /**
   * Adds the names when the answer's headers are written, to whatever else is in its `Vary` by then, unless the answer is
   * nobody's. Express and middleware set it on the response, Fastify gives it to `writeHead()`.
   */
  addTo(response: ServerResponse, answer: { readonly isFree?: boolean }): void {
    if (this.names === '') return;
    const writeHead = response.writeHead as (...args: unknown[]) => ServerResponse;
    response.writeHead = (...args: unknown[]): ServerResponse => {
      if (answer.isFree !== true) this.#add(response, args);
      return writeHead.apply(response, args);
    };
  }

  /** To the last of the arguments of `writeHead()`, if that is headers; else to the response. */
  #add(response: ServerResponse, args: unknown[]): void {
    const headers = args.at(-1);
    const kept = response.getHeader('vary');
    if (typeof headers !== 'object' || headers === null) {
      response.setHeader('Vary', this.#with(kept));
    } else if (Array.isArray(headers)) {
      args[args.length - 1] = this.#inList(kept, pairsOf(headers));
    } else {
      // Not set on the response: Node writes what it is given far sooner when nothing is set beside it.
      args[args.length - 1] = this.#inObject(kept, headers as Record<string, unknown>);
    }
  }

  #inObject(kept: unknown, headers: Record<string, unknown>): Record<string, unknown> {
    const given: unknown[] = [];
    // Name by name: V8 spreads an object of header names, which differ from answer to answer, ten times slower.
    const all: Record<string, unknown> = {};
    for (const name of Object.keys(headers)) {
      if (isVary(name)) given.push(headers[name]);
      else all[name] = headers[name];
    }
    all.Vary = this.#with(kept, given);
    return all;
  }

  #inList(kept: unknown, pairs: readonly Pair[]): unknown[] {
    const given = pairs.filter(([name]) => isVary(name)).map(([, value]) => value);
    const others = pairs.filter(([name]) => !isVary(name));
    return [...others.flatMap(([name, value]) => [name, value]), 'Vary', this.#with(kept, given)];
  }

  #with(kept: unknown, given: readonly unknown[] = []): string {
    if (kept === undefined && given.length === 0) return this.names;
    const before = [kept ?? [], given].flat(3).map(String).join(',');
    if (before !== this.#before) {
      this.#after = joined([...before.split(','), ...this.names.split(',')]);
      this.#before = before;
    }
    return this.#after;
  }
}

/** Node takes a list of names and values in turn, and a list of pairs. */
function pairsOf(headers: readonly unknown[]): readonly Pair[] {
  if (Array.isArray(headers[0])) return headers as readonly Pair[];
  return (headers as readonly string[]).flatMap((name, index) =>
    index % 2 === 0 ? [[name, headers[index + 1]] as Pair] : [],
  );
}

function isVary(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'vary';
}

/** Each name once, in whatever case; a star says all of them. */
function joined(names: readonly string[]): string {
  const byName = new Map(names.map((name) => [name.trim().toLowerCase(), name.trim()]));
  byName.delete('');
  return byName.has('*') ? '*' : [...byName.values()].join(', ');
}
