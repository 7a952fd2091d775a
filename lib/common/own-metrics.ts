import type { Metric, Registry } from 'prom-client';
import { explainAbsent } from './absent-package';

/** @param option the option that needs the package. @throws PackageMissingError when it is not installed */
export function loadPromClient(option: string): typeof import('prom-client') {
  try {
    return require('prom-client') as typeof import('prom-client');
  } catch (error) {
    throw explainAbsent(error, 'prom-client', option);
  }
}

/** Metrics of one application in a registry of `prom-client`, from its start to its end. */
export class OwnMetrics {
  readonly #byName: ReadonlyMap<string, Metric>;

  /** @param metrics made with `registers: []` */
  constructor(
    private readonly registry: Registry,
    metrics: readonly Metric[],
  ) {
    this.#byName = new Map(
      metrics.map((metric) => [(metric as unknown as { readonly name: string }).name, metric]),
    );
  }

  /** Registers them. If one of their names is taken, gives back what is wrong with the registry, and registers none. */
  register(): string | undefined {
    // Ours are there when the start is tried again after another module has failed it.
    const missing = [...this.#byName].filter((each) => !this.#has(each));
    const taken = missing.find(([name]) => this.registry.getSingleMetric(name));
    if (taken)
      return (
        `already has ${taken[0]}, from another application of this process that is not closed, or from your own code: ` +
        'close that one, even if its start failed, or give each application a Registry of its own, with forRootAsync()'
      );
    for (const [, metric] of missing) this.registry.registerMetric(metric);
    return undefined;
  }

  /** Takes them out, so that the next application of the process, as in tests, can use the registry. */
  remove(): void {
    for (const each of this.#byName) if (this.#has(each)) this.registry.removeSingleMetric(each[0]);
  }

  #has([name, metric]: readonly [string, Metric]): boolean {
    return this.registry.getSingleMetric(name) === metric;
  }
}
