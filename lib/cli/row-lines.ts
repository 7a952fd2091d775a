import { type CustomTypesConfig, types } from 'pg';

/** Rows as text, each ending with a line break. */
export interface RowLines {
  /** How values are made of PostgreSQL's texts. */
  readonly types: CustomTypesConfig;
  lineOf(tenant: string, row: Readonly<Record<string, unknown>>): string;
  /** Tenants whose rows could not be printed. */
  readonly misfits: ReadonlySet<string>;
}

const asItIs = (text: string): string => text;

const { BOOL, INT2, INT4, OID, JSON: JSON_TEXT, JSONB, FLOAT4, FLOAT8 } = types.builtins;

/** What JSON says as PostgreSQL does, and lists of it, which have no names in `pg`. */
const PARSED: ReadonlySet<number> = new Set<number>([
  ...[BOOL, INT2, INT4, OID, JSON_TEXT, JSONB],
  ...[1000, 1005, 1007, 1028, 199, 3807, 1021, 1022, 1009, 1015],
]);

/**
 * Texts of PostgreSQL's for all else. JavaScript's dates end in 275760, have no infinity and no microseconds, and begin a
 * day by the clocks of this machine; and an application may have told `pg` to make what JSON cannot say, such as BigInt.
 */
export const JSON_VALUES: CustomTypesConfig = {
  getTypeParser: (id: number) => {
    if (PARSED.has(id)) return types.getTypeParser(id) as (text: string) => unknown;
    if (id !== Number(FLOAT4) && id !== Number(FLOAT8)) return asItIs;
    return (text: string) => (Number.isFinite(Number(text)) ? Number(text) : text);
  },
};

/** `{"tenant":"acme","row":{"id":1}}` on each line. */
export const jsonLine: RowLines = {
  types: JSON_VALUES,
  lineOf: (tenant, row) => `${JSON.stringify({ tenant, row })}\n`,
  misfits: new Set(),
};

/**
 * CSV as RFC 4180 has it: the names of the columns first. Values are PostgreSQL's texts, NULL is an empty cell and an empty
 * text `""`, as its COPY writes and reads them.
 */
export class CsvLines implements RowLines {
  readonly types: CustomTypesConfig = { getTypeParser: () => asItIs };
  readonly misfits = new Set<string>();
  #columns: readonly string[] | undefined;

  lineOf(tenant: string, row: Readonly<Record<string, unknown>>): string {
    const columns = Object.keys(row);
    const head = this.#columns === undefined ? lineOfCells(['tenant', ...columns]) : '';
    this.#columns ??= columns;
    const isAlike =
      columns.length === this.#columns.length && this.#columns.every((name) => Object.hasOwn(row, name));
    if (!isAlike) {
      this.misfits.add(tenant);
      return '';
    }
    return head + lineOfCells([tenant, ...this.#columns.map((name) => row[name] as string | null)]);
  }
}

function lineOfCells(cells: readonly (string | null)[]): string {
  return `${cells.map(cellOf).join(',')}\n`;
}

function cellOf(text: string | null): string {
  if (text === null) return '';
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
