import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly name: string;
  /** One line of JSON instead of a table. */
  readonly json: boolean;
  /** How long a variant runs in each round. */
  readonly seconds: number;
  /** How often each variant has its turn. */
  readonly rounds: number;
  /** Delay added between client and PostgreSQL, there and back together. 0: no proxy in between. */
  readonly rttMs: number;
  /** How many schemas the full database of `provision` holds. */
  readonly schemas: number;
  /** Build what the bench needs, keep it for later runs, and measure nothing. */
  readonly prepare: boolean;
}

export class BenchUsageError extends Error {}

const USAGE = `usage: npm run -s bench -- <name> [options]

  --json         one line of JSON instead of a table
  --seconds N    how long a variant runs in each round, over 0 (default 2)
  --rounds N     how often each variant has its turn, an integer from 1 (default 5)
  --rtt-ms N     milliseconds of delay before PostgreSQL, there and back together, from 0 (default 0)
  --schemas N    how many schemas the full database of provision holds, an integer from 1 (default 1000)
  --prepare      build the tenants, keep them for later runs, and measure nothing

DATABASE_URL names a server where databases may be created; without it an embedded one is started.
`;

/** @throws BenchUsageError with the usage, for anything it does not know */
export function parseBenchOptions(args: string[], abouts: Readonly<Record<string, string>>): BenchOptions {
  const usage = (problem: string) => {
    const benches = Object.entries(abouts).map(([name, about]) => `  ${name.padEnd(13)}  ${about}\n`);
    return new BenchUsageError(`${problem}\n\n${USAGE}\nbenches:\n${benches.join('')}`);
  };
  const { values, positionals } = parse(args, usage);
  const [name, ...others] = positionals;
  if (name === undefined) throw usage('Which bench?');
  if (others.length > 0) throw usage(`One bench at a time, got also: ${others.join(' ')}.`);
  if (!Object.hasOwn(abouts, name)) throw usage(`There is no bench ${JSON.stringify(name)}.`);

  const number = (
    option: 'seconds' | 'rounds' | 'rtt-ms' | 'schemas',
    isGood: (value: number) => boolean,
  ): number => {
    const text = values[option];
    const value = text.trim() === '' ? NaN : Number(text);
    if (!Number.isFinite(value) || !isGood(value))
      throw usage(`--${option} cannot be ${JSON.stringify(text)}.`);
    return value;
  };
  return {
    name,
    json: values.json,
    prepare: values.prepare,
    seconds: number('seconds', (seconds) => seconds > 0),
    rounds: number('rounds', (rounds) => Number.isInteger(rounds) && rounds > 0),
    schemas: number('schemas', (schemas) => Number.isInteger(schemas) && schemas > 0),
    rttMs: number('rtt-ms', (rttMs) => rttMs >= 0),
  };
}

function parse(args: string[], usage: (problem: string) => BenchUsageError) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        prepare: { type: 'boolean', default: false },
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '5' },
        schemas: { type: 'string', default: '1000' },
        'rtt-ms': { type: 'string', default: '0' },
      },
    });
  } catch (error) {
    throw usage((error as Error).message);
  }
}
