import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HammerOperation, IsolationHammerOptions } from '../isolation-hammer.options';
import { type BackendFaults, openBackendFaults } from './backend-faults';
import { HammerCall, type HammerTenant, nameOf } from './hammer-call';
import { HammerLedger } from './hammer-ledger';
import { KindTally } from './kind-tally';
import { SeededRandom } from './seeded-random';
import { settles } from './settles';

const DEFAULT_CONCURRENCY = 24;
const DEFAULT_OPERATIONS_PER_FAULT = 50;
const DEFAULT_TIMEOUT_MS = 30_000;

/** How often a caller pauses until all others have had a turn. */
const PAUSE_RATE = 0.2;

/** One run of the hammer: many callers, each of which runs one operation after another. */
export class HammerRun<T extends HammerTenant> {
  readonly ledger: HammerLedger;
  readonly tally = new KindTally();
  faults = 0;
  #started = 0;
  #done = 0;
  #backends: BackendFaults | undefined;
  readonly #random: SeededRandom;
  readonly #kinds: readonly string[];

  constructor(
    private readonly options: IsolationHammerOptions<T>,
    seed: number,
  ) {
    this.ledger = new HammerLedger(options.tenants.map(nameOf), options.onFinding);
    this.#random = new SeededRandom(seed);
    this.#kinds = weighted(Object.keys(options.kinds), options.weights);
  }

  async run(): Promise<void> {
    const { databaseUrl, concurrency = DEFAULT_CONCURRENCY, operations, stopAtFinding } = this.options;
    await this.#prepare();
    this.#backends = databaseUrl === undefined ? undefined : await openBackendFaults(databaseUrl);
    try {
      const length = Math.min(concurrency, operations);
      const callers = Promise.all(Array.from({ length }, () => this.#callAndCall()));
      await (stopAtFinding ? Promise.race([callers, this.ledger.found]) : callers);
    } finally {
      // After a finding, callers may still be running; this stops them from starting another operation.
      this.#started = Infinity;
      await this.#backends?.close();
    }
  }

  async checkTables(): Promise<void> {
    for (const [index, tenant] of this.options.tenants.entries())
      this.ledger.checkAll(index, await this.options.readAll(tenant));
  }

  async #prepare(): Promise<void> {
    for (const tenant of this.options.tenants) await this.options.prepare?.(this.#callFor(tenant, true));
  }

  async #callAndCall(): Promise<void> {
    const { operations, kinds, operationsPerFault = DEFAULT_OPERATIONS_PER_FAULT } = this.options;
    while (this.#started < operations) {
      const number = ++this.#started;
      if (number % operationsPerFault === 0) await this.#hurt();
      const kind = this.#random.pick(this.#kinds);
      if (!(await this.#do(kind, kinds[kind]))) return;
      this.options.onProgress?.(++this.#done);
      if (this.#random.next() < PAUSE_RATE) await nextTurn();
    }
  }

  /** Whether the operation ended. If it does not, its caller is lost for the rest of the run. */
  async #do(name: string, operation: HammerOperation<T>): Promise<boolean> {
    const call = this.#callFor(this.#random.pick(this.options.tenants));
    const work = this.#perform(call, name, operation);
    if (await settles(work, this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS)) return true;
    this.ledger.hang(name);
    return false;
  }

  async #perform(call: HammerCall<T>, name: string, operation: HammerOperation<T>): Promise<void> {
    try {
      call.see(await operation(call), name);
      this.tally.succeeded(name);
    } catch (error) {
      this.tally.failed(name, error);
    }
  }

  async #hurt(): Promise<void> {
    const disturbances = Object.entries(this.options.disturbances ?? {});
    const choice = this.#random.integer(disturbances.length + (this.#backends ? 1 : 0));
    if (choice < disturbances.length) {
      this.faults++;
      await this.#do(...disturbances[choice]);
    } else {
      this.faults += (await this.#backends?.hurt(this.#random)) ?? 0;
    }
  }

  #callFor(tenant: T, preparing = false): HammerCall<T> {
    const { tenants } = this.options;
    const other = this.#random.pick(tenants.filter((each) => each !== tenant));
    return new HammerCall(tenant, other, this.#random, tenants, this.ledger, preparing);
  }
}

/** The kinds, each repeated by its weight in hundredths. */
function weighted(kinds: readonly string[], weights: Readonly<Record<string, number>> = {}): string[] {
  return kinds.flatMap((kind) => Array<string>(Math.ceil((weights[kind] ?? 1) * 100)).fill(kind));
}
