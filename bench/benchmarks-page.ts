import { cpus } from 'node:os';
import { format, resolveConfig } from 'prettier';
import type { Row } from './bench';
import type { Report } from './report';

export interface Measured {
  /** The bench's name, and what it was told besides. */
  readonly args: readonly string[];
  readonly report: Report;
}

export interface PageOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly date: Date;
}

/** How to read each bench. */
const READINGS: Readonly<Record<string, string>> = {
  switch:
    '64 callers find rows of 500 tenants by primary key through TypeORM, over 10 connections. Each ratio is our ' +
    'operations a second over those of another way: over 1, ours is faster. `single-tenant` knows no tenants, and ' +
    '`qualified` names the schema in each query without switching: the limits of one pool. `awaited-set` sends ' +
    '`SET search_path` before each query, `transaction` wraps each in `BEGIN; SET LOCAL`, and `datasource-per-tenant` ' +
    'has a `DataSource` for each of 20 tenants.',
  servers:
    'The same finds, of tenants on one server over 10 connections (`one-pool`), and of the same tenants on two, half of them ' +
    'on each, over 5 connections to each (`router`). Both servers are databases of one PostgreSQL, so the ratio, the operations ' +
    'a second of `router` over those of `one-pool`, is what it costs to have several.',
  move:
    'Tenants of 10 and 100 MB move to another database of one PostgreSQL and back, `online` and by stopping their writes, ' +
    'while eight callers write to them and send again what is refused. `p99Ms` is what those wait, `maxMs` the longest that ' +
    'one of them waits, each as the median of all moves, and so are `StallP99Ms` and `StallMaxMs`. `lost` are writes that were ' +
    'answered and are not there afterwards, `doubled` those that are there twice, and `noWaitLost` and `noCatchUpLost` what is ' +
    'lost by a move that keeps no writer away, and by one that does not wait for the new place. `VsDumpRestore` is the time of ' +
    'a move over that of `pg_dump | psql`, where these speak to the server.',
  http:
    'A handler that says who the tenant is, without a database. `plain` reads a header, and so does `als`, in a process ' +
    'that has entered an AsyncLocalStorage once: what Node charges for having one at all. `by-hand` is a middleware that ' +
    'finds the tenant in a Map and runs the rest in AsyncLocalStorage, and a guard that refuses unknown ones, `cls` is ' +
    'nestjs-cls, `request-scoped` and `durable` are Nest’s own scopes, as its documentation shows them. `addedCpuMicros` is ' +
    'what a request costs the server more than `plain`; it and the ' +
    'ratios, ours over the other, are medians of what each round gives.',
  resolve: 'One caller resolves requests of 1,000 tenants, remembered (`cached`) or not (`cold`).',
  provision:
    'One more tenant of a template of 30 tables, beside 0 and 1,000 schemas: the same DDL as one raw batch (the limit), our ' +
    'verified clone, the same with `roles: true` and beside as many roles (`cold-with-roles`), a warm spare, and the same ' +
    'migrations run again.',
  migrate:
    '1,000 tenants of 30 tables: a run with nothing to do, and one `ALTER TABLE ADD COLUMN` for every ' +
    'tenant (`fleet`) beside the same statement sent raw on as many connections, alone (`raw`) and in a transaction with a ' +
    'line in a ledger (`raw-ledger`), without which a run cannot go on after a crash. None of them waits for the disk at each ' +
    'COMMIT, so that no disk is measured, and each turn alters another table. `clientCpuMicros` is what a tenant ' +
    'costs the process that migrates, which is what counts where PostgreSQL has many cores, and `serverCpuMicros` what it ' +
    'costs the server’s sessions; `cpuVsRaw` and `cpuVsRawLedger` compare the sums of both, which depend least on what ' +
    'else a machine does. ' +
    '`upHeapPeakMb` is what such a run holds of the heap at most, beyond what the process held before it (pages of 250 ' +
    'tenants), and `upHeapGrowthMb` what a run over 500 does not: nearly nothing, since memory does not follow the fleet.',
  drift:
    'The same fleet is compared with its template, each schema in all that PostgreSQL knows of it (`drift`), beside one ' +
    'query that reads and prints the rows of the same catalogs and compares nothing (`raw`).',
  memory:
    'What four backends remember of 1,000 tenants, in MB: with connections that are replaced after so many tenants, and ' +
    'without. What the replacing costs is in the operations a second.',
  fairness:
    'Four callers of 99 tenants find rows while 100 callers of one more tenant send slow statements to the same ten ' +
    'connections: how long the four wait, beside what they wait for without the flood.',
  jobs:
    '10,000 jobs of 20 tenants that do nothing, added in batches and run 32 at once by the same process, on Redis, beside plain ' +
    'BullMQ; and 32 callers that add one after another (`-add`). Then one tenant’s job of 5 ms, from its `add()` to its end, ' +
    'alone and behind 100,000 such jobs of another tenant, 4 at once.',
  cache:
    'One caller reads (`plain`, `ours`) and sets (`-set`) 100 values of each of 100 tenants in a map of the process: by the cache ' +
    'manager with keys that name the tenant and are put together beforehand, and by `TenantCache`. The ratios are CPU time for ' +
    'CPU time: over 1, ours is faster. `clearOneMs` is one tenant’s `clear()` beside 1,000,000 keys of 99 others.',
  access:
    'One caller is let in by 100 keys and tokens that are known by then, beside a guard of Nest that looks into a `Map`; ' +
    'and 10,000 unknown keys are refused.',
  testing:
    '1,000 tests, each of which writes a row and reads it: in one tenant that all share, and in a tenant of its own that ' +
    '`testTenants()` makes. `dropMsPerTest` is what `dropAll()` takes afterwards.',
  guards:
    'What each guard adds to a request of a tenant whose limits are far away, in microseconds of CPU, beside a guard of ' +
    'Nest that does nothing. `usage, hard quota` asks PostgreSQL; the others ask nobody.',
};

/** The figures with the commands that give them, as Markdown. */
export async function benchmarksPage(measured: readonly Measured[], options: PageOptions): Promise<string> {
  const [{ env }] = measured.map(({ report }) => report);
  const text = [
    '# Benchmarks',
    '',
    '<!-- Written by `npm run bench -- all`. Do not edit: run it again. -->',
    '',
    'Read the figures as ratios: every variant of a bench runs in turn, in one run on one machine, and each answer is ' +
      'checked (the right tenant, the right rows), so a fast wrong answer fails the bench. Rows are medians over the rounds.',
    '',
    `Measured on ${options.date.toISOString().slice(0, 10)} with Node ${env.node} and PostgreSQL ${env.postgres} on ` +
      `${env.cpus} CPUs (${cpus()[0]?.model.trim()}), client, server and database on the same machine; ` +
      `${options.rounds} rounds of ${options.seconds} seconds for each variant. All of it again: \`npm run bench -- all\`.`,
    ...measured.flatMap(section),
    '',
  ].join('\n');
  return format(text, { ...(await resolveConfig('docs/benchmarks.md')), parser: 'markdown' });
}

function section({ args, report: { name, rows, ratios } }: Measured): string[] {
  return [
    '',
    `## ${args.join(' ')}`,
    '',
    // Said once, under the first of a bench's runs.
    ...(args.length === 1 && name in READINGS ? [READINGS[name], ''] : []),
    '```sh',
    `npm run -s bench -- ${args.join(' ')}`,
    '```',
    '',
    ...tableOf(rows),
    '',
    '| ratio | |',
    '| --- | --: |',
    ...Object.entries(ratios).map(([ratio, value]) => `| \`${ratio}\` | ${value} |`),
  ];
}

function tableOf(rows: readonly Row[]): string[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [
    `| ${columns.join(' | ')} |`,
    `| ${columns.map((_, index) => (index === 0 ? '---' : '--:')).join(' | ')} |`,
    ...rows.map((row) => `| ${columns.map((column) => String(row[column] ?? '')).join(' | ')} |`),
  ];
}
