import { cpus } from 'node:os';
import type { BenchResult } from './bench';

export interface Report extends BenchResult {
  readonly name: string;
  readonly env: { readonly node: string; readonly postgres: string; readonly cpus: number };
}

export function makeReport(name: string, postgres: string, result: BenchResult): Report {
  return { name, env: { node: process.versions.node, postgres, cpus: cpus().length }, ...result };
}

/** A table of the rows and one of the ratios. */
export function formatReport({ name, env, rows, ratios }: Report): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => columns.map((column) => String(row[column] ?? '')));
  return [
    `${name}: Node ${env.node}, PostgreSQL ${env.postgres}, ${env.cpus} CPUs`,
    '',
    formatTable([columns, ...lines]),
    '',
    formatTable(Object.entries(ratios).map(([ratio, value]) => [ratio, String(value)])),
  ].join('\n');
}

function formatTable(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    )
    .join('\n');
}
