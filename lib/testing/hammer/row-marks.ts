import { randomBytes } from 'node:crypto';

/** What a mark says of itself. */
export interface Mark {
  /** The place of its tenant in the list of all. */
  readonly tenant: number;
  /** No two marks of a run have the same. */
  readonly number: number;
}

/**
 * Texts that tell whose they are, wherever they turn up again: `hammer-<run>-<tenant>-<number>`, at most 40 characters of
 * `[a-z0-9-]`. Those of other runs, still in the tables, count for nothing.
 */
export class Marks {
  readonly #prefix = `hammer-${randomBytes(4).toString('hex')}`;
  readonly #pattern = new RegExp(`${this.#prefix}-(\\d+)-(\\d+)`, 'g');
  #issued = 0;

  issue(tenant: number): string {
    return `${this.#prefix}-${tenant}-${++this.#issued}`;
  }

  /** Every mark in a value, whatever it is made of: texts, buffers, arrays, objects. */
  in(value: unknown): Mark[] {
    return textsIn(value).flatMap((text) =>
      Array.from(text.matchAll(this.#pattern), ([, tenant, number]) => ({
        tenant: Number(tenant),
        number: Number(number),
      })),
    );
  }
}

function textsIn(value: unknown, seen = new Set<object>()): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  if (Buffer.isBuffer(value)) return [value.toString('latin1')];
  return Object.values(value).flatMap((each) => textsIn(each, seen));
}
