import type { HammerCall, HammerTenant } from './hammer/hammer-call';

/**
 * One operation of the application, done for `call.tenant`. Every text in what it resolves with is looked at: it must
 * carry no other tenant's mark. An error is no finding, for faults cause them; but an operation that never succeeds is.
 */
export type HammerOperation<T extends HammerTenant = string> = (call: HammerCall<T>) => Promise<unknown>;

export interface IsolationHammerOptions<T extends HammerTenant = string> {
  /** Tenants that are there, at least two, each with the same tables. The hammer leaves its rows in them. */
  readonly tenants: readonly T[];
  /** What is done, by name. */
  readonly kinds: Readonly<Record<string, HammerOperation<T>>>;
  /** How often a kind comes compared to the others, over 0. Default 1. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Done once for each tenant before the rest: rows for the first readers to find. Default nothing. */
  readonly prepare?: HammerOperation<T>;
  /** All rows that operations have written for a tenant; an array, an element a row, lets the hammer see duplicates. */
  readonly readAll: (tenant: T) => Promise<unknown>;
  /** How many operations, an integer from 1. */
  readonly operations: number;
  /** How many run at once, an integer from 1. Default 24: more than the pool has connections. */
  readonly concurrency?: number;
  /** An integer from 0 to 4294967295 that fixes what is drawn. Default another one each time; the report tells it. */
  readonly seed?: number;
  /** What happens to a tenant meanwhile, such as a suspension, by name. Default nothing. */
  readonly disturbances?: Readonly<Record<string, HammerOperation<T>>>;
  /**
   * The application's database, on a way that needs no pooler: its backends are cancelled and terminated. The role must
   * be the application's, or a superuser. Default: they are left alone.
   */
  readonly databaseUrl?: string;
  /** How many operations come for each disturbance or fault, an integer from 1. Default 50. */
  readonly operationsPerFault?: number;
  /** What has not ended by then never will, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** End at the first finding. Default false. */
  readonly stopAtFinding?: boolean;
  /** Told how many operations are done, after each. */
  readonly onProgress?: (operations: number) => void;
}

export interface IsolationHammerReport {
  readonly operations: number;
  /** Disturbances that were made, and backends that were cancelled or terminated. */
  readonly faults: number;
  /** Marks that were looked at, each in a row of a result or of a table. */
  readonly rowsChecked: number;
  /** Marks of one tenant that another was shown. */
  readonly wrongReads: number;
  /** Rows in the tables of a tenant that another wrote, that were to be rolled back, or that are there twice. */
  readonly wrongWrites: number;
  /** Writes that were acknowledged and are gone. */
  readonly lostWrites: number;
  readonly seed: number;
  readonly seconds: number;
  /** Operations that rejected. With faults some do; which ones, `failures` says. */
  readonly failedOperations: number;
  /** How often each kind rejected. */
  readonly failures: Readonly<Record<string, number>>;
  /** Operations that did not end. */
  readonly hangs: number;
  /** The first of what went wrong, in words. */
  readonly findings: readonly string[];
}

/** @throws RangeError that names the first bad option */
export function checkHammerOptions<T extends HammerTenant>(options: IsolationHammerOptions<T>): void {
  const {
    tenants,
    kinds,
    weights = {},
    operations,
    concurrency = 1,
    seed = 0,
    operationsPerFault = 1,
  } = options;
  const isCount = (value: number) => Number.isInteger(value) && value >= 1;
  const checks: readonly (readonly [name: string, isGood: boolean, rule: string])[] = [
    [
      'tenants',
      new Set(tenants).size === tenants.length && tenants.length > 1,
      'name at least two, each once',
    ],
    ['kinds', Object.keys(kinds).length > 0, 'must have at least one operation'],
    ['weights', Object.values(weights).every((weight) => weight > 0), 'must be over 0'],
    [
      'weights',
      Object.keys(weights).every((kind) => Object.hasOwn(kinds, kind)),
      'must name kinds that are there',
    ],
    ['operations', isCount(operations), 'must be an integer from 1'],
    ['concurrency', isCount(concurrency), 'must be an integer from 1'],
    ['operationsPerFault', isCount(operationsPerFault), 'must be an integer from 1'],
    [
      'seed',
      Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32,
      'must be an integer from 0 to 4294967295',
    ],
  ];
  const bad = checks.find(([, isGood]) => !isGood);
  if (bad) throw new RangeError(`runIsolationHammer(): ${bad[0]} ${bad[2]}.`);
}
