import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import { OwnMetrics } from './own-metrics';

describe('metrics of an application', () => {
  let registry: Registry;
  const own = () =>
    new OwnMetrics(registry, [
      new Gauge({ name: 'waiting', help: 'Waiting', registers: [] }),
      new Counter({ name: 'done', help: 'Done', registers: [] }),
    ] as Metric[]);
  const names = () => registry.getMetricsAsArray().map(({ name }) => name);

  beforeEach(() => {
    registry = new Registry();
  });

  it('are used again by a start that is tried again, and let go of at the end', () => {
    const metrics = own();
    expect(metrics.register()).toBeUndefined();
    expect(metrics.register()).toBeUndefined();
    expect(names()).toEqual(['waiting', 'done']);
    metrics.remove();
    expect(names()).toEqual([]);
  });

  it('that another application has are named, and stay its own', () => {
    const first = own();
    first.register();
    registry.removeSingleMetric('waiting');
    const second = own();
    expect(second.register()).toContain('already has done');
    expect(names()).toEqual(['done']);
    second.remove();
    expect(names()).toEqual(['done']);
    first.remove();
    expect(names()).toEqual([]);
  });
});
