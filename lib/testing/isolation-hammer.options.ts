import type { HammerCall, HammerTenant } from './hammer/hammer-call';

/**
 * One operation of the application for `call.tenant`. Every text in its result is examined: it must not contain a stamp
 * of another tenant. An error is not a finding, because faults cause errors; but an operation that never succeeds is.
 */
export type HammerOperation<T extends HammerTenant = string> = (call: HammerCall<T>) => Promise<unknown>;

export interface IsolationHammerOptions<T extends HammerTenant = string> {
  /** Existing tenants, at least two, each with the same tables. The hammer's rows remain in them. */
  readonly tenants: readonly T[];
  /** The operations, by name. */
  readonly kinds: Readonly<Record<string, HammerOperation<T>>>;
  /** How often a kind runs compared to the others, more than 0. Default 1. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Runs once for each tenant before the other operations, to write rows for the first readers. Default: nothing. */
  readonly prepare?: HammerOperation<T>;
  /**
   * All rows that operations have written for a tenant. In an array, each element must be one row, so that duplicates
   * are found.
   */
  readonly readAll: (tenant: T) => Promise<unknown>;
  /** How many operations, an integer from 1. */
  readonly operations: number;
  /** How many run at once, an integer from 1. Default 24: more than the pool has connections. */
  readonly concurrency?: number;
  /**
   * An integer from 0 to 4294967295 that determines the random choices. Default a new one each time, which the report
   * names.
   */
  readonly seed?: number;
  /** What happens to a tenant in the meantime, such as a suspension, by name. Default: nothing. */
  readonly disturbances?: Readonly<Record<string, HammerOperation<T>>>;
  /**
   * A URL of the application's database that does not lead through a pooler, by which backends are cancelled and
   * terminated. The role must be the application's, or a superuser. Default: backends are left alone.
   */
  readonly databaseUrl?: string;
  /** How many operations run for each disturbance or fault, an integer from 1. Default 50. */
  readonly operationsPerFault?: number;
  /** After this time an operation counts as one that never ends, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** Whether to end at the first finding. Default false. */
  readonly stopAtFinding?: boolean;
  /** Called at once with each of the first findings, so that a run that is stopped has not looked for nothing. */
  readonly onFinding?: (finding: string) => void;
  /** Called after each operation with the number of operations done. */
  readonly onProgress?: (operations: number) => void;
}

export interface IsolationHammerReport {
  readonly operations: number;
  /** How many disturbances were made, and how many backends were cancelled or terminated. */
  readonly faults: number;
  /** How many stamps were examined, each in a row of a result or of a table. */
  readonly rowsChecked: number;
  /** How many stamps of a tenant were shown to another one. */
  readonly wrongReads: number;
  /**
   * Rows in a tenant's tables that another tenant wrote, that should have been rolled back, or that are there twice.
   */
  readonly wrongWrites: number;
  /** Writes that were acknowledged and are missing. */
  readonly lostWrites: number;
  readonly seed: number;
  readonly seconds: number;
  /** Operations that rejected. With faults some do; `failures` says which. */
  readonly failedOperations: number;
  /** How often each kind rejected. */
  readonly failures: Readonly<Record<string, number>>;
  /** Operations that did not end in time. */
  readonly hangs: number;
  /** The first findings, in words. */
  readonly findings: readonly string[];
}

/** @throws RangeError naming the first bad option */
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
    ['weights', Object.values(weights).every((weight) => weight > 0), 'must be more than 0'],
    [
      'weights',
      Object.keys(weights).every((kind) => Object.hasOwn(kinds, kind)),
      'must name kinds of `kinds`',
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
