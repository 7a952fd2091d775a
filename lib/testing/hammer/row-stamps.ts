import { randomBytes } from 'node:crypto';

/** The contents of a stamp. */
export interface Stamp {
  /** The place of its tenant in the list of tenants. */
  readonly tenant: number;
  /** Unique within a run. */
  readonly number: number;
}

/**
 * Makes texts that identify their tenant wherever they are found: `hammer-<run>-<tenant>-<number>`, at most 40
 * characters of `[a-z0-9-]`. Stamps of earlier runs that are still in the tables are ignored.
 */
export class Stamps {
  readonly #prefix = `hammer-${randomBytes(4).toString('hex')}`;
  readonly #pattern = new RegExp(`${this.#prefix}-(\\d+)-(\\d+)`, 'g');
  #issued = 0;

  issue(tenant: number): string {
    return `${this.#prefix}-${tenant}-${++this.#issued}`;
  }

  /** Every stamp in a value of texts, buffers, arrays and objects. */
  in(value: unknown): Stamp[] {
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
