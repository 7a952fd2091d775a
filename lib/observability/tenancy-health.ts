import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { TenancyError } from '../common/tenancy.errors';
import { PoolStatistics } from '../connection/pool/pool-statistics';
import { Servers } from '../connection/servers/servers';
import { TENANT_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { DEFAULT_SERVER } from '../placement/place';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { FleetMigrator } from '../migrations/fleet-migrator';
import { type CheckedObservabilityOptions, OBSERVABILITY_OPTIONS } from './observability.options';
import { SpareState } from '../provisioning/spares/spare-state';
import { within } from '../common/within';

/** As `@nestjs/terminus` takes it from an indicator. */
export type TenancyHealthResult = Record<
  string,
  { readonly status: 'up' | 'down'; readonly [detail: string]: unknown }
>;

interface Finding {
  readonly isDown?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Indicators for `HealthCheckService.check([() => health.registry()])` of `@nestjs/terminus`. They never throw: a check
 * that fails or takes too long is `down`. Details name no host and no user, because health is often public; the log has
 * the reason.
 */
@Injectable()
export class TenancyHealth {
  readonly #logger = new Logger('Tenancy');
  readonly #timeoutMs: number;

  constructor(
    @Inject(OBSERVABILITY_OPTIONS) { healthTimeoutMs }: CheckedObservabilityOptions,
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registryDataSource: DataSource,
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly tenantDataSource: DataSource,
    private readonly context: TenantContext,
    private readonly statistics: PoolStatistics,
    private readonly fleet: FleetMigrator,
    private readonly spareState: SpareState,
    private readonly furtherServers: Servers,
  ) {
    this.#timeoutMs = healthTimeoutMs;
  }

  /** Whether the registry answers. */
  registry(key = 'registry'): Promise<TenancyHealthResult> {
    return this.#check(key, async () => {
      await this.registryDataSource.query('SELECT 1');
      return {};
    });
  }

  /** Whether the template has all migrations of the code; `pending` names the missing ones. */
  template(key = 'template'): Promise<TenancyHealthResult> {
    return this.#check(key, async () => {
      const { migrations } = await this.fleet.status();
      const pending = migrations.filter(({ template }) => !template).map(({ name }) => name);
      return { isDown: pending.length > 0, details: { pending } };
    });
  }

  /**
   * How many tenants lack migrations of the code. That is normal while a new version is rolled out, so it is `down`
   * only when there are more than `maxBehind`.
   */
  migrations({ maxBehind = Infinity, key = 'migrations' } = {}): Promise<TenancyHealthResult> {
    return this.#check(key, async () => {
      const { tenants, behind } = await this.fleet.status();
      return { isDown: behind > maxBehind, details: { tenants, behind } };
    });
  }

  /**
   * How many spares are ready. Without spares, sign-ups are only slower, so it is `down` only when there are fewer than
   * `min`.
   */
  spares({ min = 0, key = 'spares' } = {}): Promise<TenancyHealthResult> {
    return this.#check(key, async () => {
      const details = await this.spareState.read();
      return { isDown: details.ready < min, details: { ...details } };
    });
  }

  /**
   * Whether the tenants' pool hands out a connection that answers, and no more than `maxWaiting` requests wait for one. With
   * several servers it is that of the registry's: see `servers()`.
   */
  pool({ maxWaiting = Infinity, key = 'pool' } = {}): Promise<TenancyHealthResult> {
    const { size, open, active, waiting } = this.statistics.readByServer().get(DEFAULT_SERVER)!;
    const details = { size, open, active, waiting };
    return this.#check(
      key,
      async () => {
        await this.context.runAsSystem(() => this.tenantDataSource.query('SELECT 1'));
        return { isDown: waiting > maxWaiting, details };
      },
      details,
    );
  }

  /**
   * Which of the further servers hand out no connection that answers: `away`. All others are served meanwhile, by this
   * instance as by the next, so it is `down` only when there are more than `maxAway`.
   */
  async servers({ maxAway = Infinity, key = 'servers' } = {}): Promise<TenancyHealthResult> {
    const { further } = this.furtherServers;
    const answers = await Promise.all(further.map((name) => this.#answers(name)));
    const away = further.filter((_name, index) => !answers[index]);
    return { [key]: { servers: further.length + 1, away, status: away.length > maxAway ? 'down' : 'up' } };
  }

  async #answers(server: string): Promise<boolean> {
    try {
      const ask = () => this.tenantDataSource.query('SELECT 1');
      await within(this.#timeoutMs, this.context.runAsSystem(ask, server));
      return true;
    } catch (error) {
      this.#logger.warn(`The health check of the server "${server}" failed: ${String(error)}`);
      return false;
    }
  }

  async #check(
    key: string,
    find: () => Promise<Finding>,
    known: Readonly<Record<string, unknown>> = {},
  ): Promise<TenancyHealthResult> {
    try {
      const { isDown = false, details = {} } = await within(this.#timeoutMs, find());
      return { [key]: { ...details, status: isDown ? 'down' : 'up' } };
    } catch (error) {
      this.#logger.warn(`The health check "${key}" failed: ${String(error)}`);
      const code = error instanceof TenancyError ? { code: error.code } : {};
      return { [key]: { ...known, ...code, status: 'down' } };
    }
  }
}
