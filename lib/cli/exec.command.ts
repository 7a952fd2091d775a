import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Command, Option } from 'nest-commander';
import type { PoolClient, QueryResult } from 'pg';
import type { QueryRunner } from 'typeorm';
import { runReadOnly } from '../connection/protocol/run-read-only';
import { FleetReader } from '../connection/typeorm/fleet-reader';
import { TenantConnection } from '../connection/typeorm/tenant-connection';
import { TenantsFailedError } from '../context/context.errors';
import { TenantContext } from '../context/tenant-context';
import { TenantLifecycle } from '../provisioning/tenant-lifecycle';
import type { Tenant } from '../registry/tenant';
import { CommandLineError } from './cli.errors';
import { EXIT } from './exit-codes';
import { integer, readText } from './option-values';
import { CsvLines, JSON_VALUES, jsonLine, type RowLines } from './row-lines';
import { printable, printableLines } from './printable';
import { table } from './table';
import { type Answer, type CommonOptions, TenancyCommand } from './tenancy-command';

interface ExecOptions extends CommonOptions {
  readonly tenant?: string;
  readonly all?: boolean;
  readonly file?: string;
  readonly write?: boolean;
  readonly readOnly?: boolean;
  readonly csv?: boolean;
  readonly jsonLines?: boolean;
  readonly concurrency?: number;
}

/** The result of one statement. */
interface StatementResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** The results in one tenant, or the error. */
interface Outcome {
  readonly tenant: string;
  readonly results: readonly StatementResult[];
  readonly error?: string;
}

@Command({
  name: 'exec',
  arguments: '[sql]',
  description:
    'run SQL for one tenant or for every active one, each in a transaction of its own that only reads',
})
export class ExecCommand extends TenancyCommand<ExecOptions> {
  protected readonly examples = [
    `tenancy exec --tenant acme 'SELECT count(*) FROM orders'`,
    `tenancy exec --all --json 'SELECT max(created_at) FROM orders'`,
    `tenancy exec --all --csv 'SELECT id, total FROM orders' > orders.csv`,
    `tenancy exec --all --write --yes --file fix-totals.sql`,
  ];

  @Option({ flags: '-t, --tenant <tenant>', description: 'for this one, by its id or slug' })
  parseTenant(tenant: string): string {
    return tenant;
  }

  @Option({ flags: '-a, --all', description: 'for every active tenant' })
  parseAll(): boolean {
    return true;
  }

  @Option({ flags: '-f, --file <file>', description: 'the file with the SQL; - for what comes on stdin' })
  parseFile(file: string): string {
    return file;
  }

  @Option({ flags: '-w, --write', description: 'let it write; with --all you are asked first' })
  parseWrite(): boolean {
    return true;
  }

  @Option({ flags: '-r, --read-only', description: 'let it only read, as without --write' })
  parseReadOnly(): boolean {
    return true;
  }

  @Option({ flags: '--csv', description: 'print the rows of one statement as CSV, as they come' })
  parseCsv(): boolean {
    return true;
  }

  @Option({ flags: '--json-lines', description: 'the same as one JSON document on each line' })
  parseJsonLines(): boolean {
    return true;
  }

  @Option({
    flags: '--concurrency <n>',
    description: 'tenants at once, from 1 to the pool’s size (default: 1)',
  })
  parseConcurrency(concurrency: string): number {
    return integer('--concurrency', concurrency, 1);
  }

  protected async work([given]: readonly string[], options: ExecOptions): Promise<Answer> {
    const { tenant, all = false, write = false, readOnly = false, concurrency = 1 } = options;
    const formats = [options.json, options.csv, options.jsonLines].filter(Boolean).length;
    if (formats > 1) throw new CommandLineError('Choose one of --json, --csv and --json-lines.');
    if (write && readOnly) throw new CommandLineError('Choose one of --write and --read-only.');
    if (write && (options.csv || options.jsonLines))
      throw new CommandLineError('--csv and --json-lines are for what only reads: leave out --write.');
    if ((tenant === undefined) === !all)
      throw new CommandLineError('Name the tenant: --tenant acme, or --all for every one.');
    const sql = await readSql(given, options.file);
    if (options.csv) return this.#printRows(sql, options, new CsvLines());
    if (options.jsonLines) return this.#printRows(sql, options, jsonLine);
    if (write && all) await this.confirmation.ask('run SQL that may write in every active tenant', options);
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    const context = await this.application.get(TenantContext, 'look', options);
    const { dataSource } = await this.application.get(TenantConnection, 'look', options);
    const outcomes: Outcome[] = [];
    let broken: string | undefined;
    const runFor = async (each: Tenant) => {
      outcomes.push(await runSql(dataSource, each.slug, sql, write));
    };
    if (tenant !== undefined) {
      const one = await lifecycle.get(tenant);
      await context.run(one, () => runFor(one));
    } else {
      const workers = Math.min(concurrency, this.application.configured.database.poolSize);
      await context.eachTenant(runFor, { concurrency: workers }).catch((error: unknown) => {
        // The results of the tenants that were done are printed, too.
        if (!(error instanceof TenantsFailedError)) throw error;
        broken = error.message;
      });
    }
    const failed = outcomes.filter(({ error }) => error !== undefined).length;
    const isWhole = broken === undefined;
    const exitCode =
      failed === 0 && isWhole ? EXIT.done : failed === outcomes.length ? EXIT.failed : EXIT.findings;
    return {
      value: { tenants: outcomes, ...(!isWhole && { error: broken }) },
      text: [...outcomes.map(toText), broken].filter(Boolean).join('\n\n') || 'No active tenant.',
      exitCode,
    };
  }

  /** Prints rows as they come. Those that cannot be had are told of on stderr. */
  async #printRows(sql: string, options: ExecOptions, lines: RowLines): Promise<Answer> {
    const fleet = await this.application.get(FleetReader, 'look', options);
    const concurrency = Math.min(options.concurrency ?? 1, this.application.configured.database.poolSize);
    const tenants = options.tenant === undefined ? undefined : [options.tenant];
    const out = this.terminal.bytes();
    let exitCode: number = EXIT.done;
    try {
      const rows = fleet.read<Row>(sql, [], { tenants, concurrency }, lines.types);
      for await (const { tenant, row } of rows) {
        const line = lines.lineOf(tenant, row);
        // Escaping changes no value in JSON. In CSV it would, and a file is to have what is in the table.
        const isRaw = options.csv && !this.terminal.isShown;
        if (!out.write(isRaw ? line : printableLines(line))) await once(out, 'drain');
      }
    } catch (error) {
      if (!(error instanceof TenantsFailedError)) throw error;
      for (const { tenant, error: why } of error.failures)
        this.terminal.tell(printable(`${tenant.slug}: error: ${(why as Error).message}`));
      if (error.listError !== undefined) this.terminal.tell(error.message);
      exitCode = error.failures.length === error.visited ? EXIT.failed : EXIT.findings;
    }
    await new Promise((resolve) => out.end(resolve));
    for (const misfit of lines.misfits) {
      this.terminal.tell(
        printable(`${misfit}: error: its rows have other columns than those printed before`),
      );
      exitCode = EXIT.findings;
    }
    return { value: undefined, text: '', exitCode };
  }
}

async function readSql(given: string | undefined, file: string | undefined): Promise<string> {
  if ((given === undefined) === (file === undefined)) {
    throw new CommandLineError('Give the SQL, or --file with the name of a file that contains it.');
  }
  const sql = given ?? (file === '-' ? await text(process.stdin) : await readText('--file', file!));
  if (sql.includes('\0'))
    throw new CommandLineError('The SQL contains a NUL character, which PostgreSQL cannot read.');
  if (sql.trim() === '') throw new CommandLineError('The SQL is empty.');
  return sql;
}

type Row = Record<string, unknown>;

/** SQLSTATE read_only_sql_transaction, and our own error. */
const NEEDS_WRITE: ReadonlySet<unknown> = new Set(['25006', 'READ_ONLY_TEXT_REFUSED']);

async function runSql(
  dataSource: TenantConnection['dataSource'],
  slug: string,
  sql: string,
  write: boolean,
): Promise<Outcome> {
  try {
    const results = await (write
      ? runWriting(dataSource, sql)
      : runReadOnly<Row>(dataSource, sql, JSON_VALUES));
    const toResult = ({ command, rowCount, rows }: QueryResult<Row>) => ({
      command,
      rowCount,
      rows,
    });
    return { tenant: slug, results: results.map(toResult) };
  } catch (error) {
    const { message } = error as Error;
    const hint = NEEDS_WRITE.has((error as { code?: unknown }).code)
      ? ': add --write if it is meant to write'
      : '';
    return { tenant: slug, results: [], error: hint ? message.replace(/\.$/, '') + hint : message };
  }
}

function runWriting(dataSource: TenantConnection['dataSource'], sql: string): Promise<QueryResult<Row>[]> {
  return dataSource.transaction(async ({ queryRunner }) => {
    const client = (await (queryRunner as QueryRunner).connect()) as PoolClient;
    // A text of several statements returns a list of results.
    const result: QueryResult<Row> | QueryResult<Row>[] = await client.query({
      text: sql,
      types: JSON_VALUES,
    });
    return [result].flat();
  });
}

function toText({ tenant, results, error }: Outcome): string {
  // Printed on one line, because a second line would look like the result of another tenant.
  if (error !== undefined) return `${tenant}: error: ${printable(error)}`;
  return results
    .map((result) => `${tenant}: ${result.command} ${result.rowCount ?? ''}`.trimEnd() + rowsOf(result))
    .join('\n');
}

function rowsOf({ rows }: StatementResult): string {
  if (rows.length === 0) return '';
  const columns = Object.keys(rows[0]);
  return `\n${table(
    columns,
    rows.map((row) => columns.map((column) => cell(row[column]))),
  )}`;
}

function cell(value: unknown): string {
  if (value === null) return 'NULL';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
