/** Rows as text, each ending with a line break. */
export interface RowLines {
  lineOf(tenant: string, row: Readonly<Record<string, unknown>>): string;
  /** Tenants whose rows could not be printed. */
  readonly misfits: ReadonlySet<string>;
}

/** `{"tenant":"acme","row":{"id":1}}` on each line. */
export const jsonLine: RowLines = {
  lineOf: (tenant, row) => `${JSON.stringify({ tenant, row })}\n`,
  misfits: new Set(),
};

/**
 * CSV as RFC 4180 has it: the names of the columns first. NULL is an empty cell and an empty text `""`, as PostgreSQL's
 * COPY writes and reads them.
 */
export class CsvLines implements RowLines {
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
    return head + lineOfCells([tenant, ...this.#columns.map((name) => textOf(row[name]))]);
  }
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  return JSON.stringify(value);
}

function lineOfCells(cells: readonly (string | null)[]): string {
  return `${cells.map(cellOf).join(',')}\n`;
}

function cellOf(text: string | null): string {
  if (text === null) return '';
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
