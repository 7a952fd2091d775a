import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { backgroundClock, type Clock, CLOCK } from '../../common/clock';
import { quoteIdentifier } from '../../common/sql';
import { SweepLoop, type SweepProblems } from '../../common/sweep-loop';
import { isTenancyCli } from '../../common/tenancy-cli';
import { TenantContext } from '../../context/tenant-context';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../webhooks.options';
import { TRIED_FOR_MS } from './retry-schedule';

export interface DeliverySweep {
  /** Deliveries that were removed, because nobody resends them any more. */
  readonly removed: number;
  /** Deliveries that became dead before all their attempts, because nothing has reached their endpoint for as long. */
  readonly givenUp: number;
  readonly problems: readonly string[];
}

const PAUSE_MS = 600_000;

/** So many rows one statement touches, which then lets others have a turn. */
const CHUNK = 1_000;

/** No attempt is made later than a day, and a tenth of it, after the one before. */
const LONGEST_WAIT = `interval '27 hours'`;

/** Removes what was delivered long ago, and gives up what waits behind a receiver that has long been silent. */
@Injectable()
export class DeliverySweeper implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('Tenancy');
  readonly #loop: SweepLoop<DeliverySweep>;

  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly context: TenantContext,
    @Inject(WEBHOOKS_OPTIONS) private readonly options: CheckedWebhooksOptions,
    @Optional() @Inject(CLOCK) clock: Clock = backgroundClock,
  ) {
    this.#loop = new SweepLoop((problems) => this.#work(problems), clock);
  }

  onApplicationBootstrap(): void {
    if (isTenancyCli() || !this.options.deliveries.enabled) return;
    this.context.runInFrame(undefined, () =>
      this.#loop.startLater(PAUSE_MS, ({ problems }) => {
        for (const each of problems) this.#logger.warn(each);
      }),
    );
  }

  async onModuleDestroy(): Promise<void> {
    await this.#loop.stop();
  }

  /** Sweeps now. */
  sweep(): Promise<DeliverySweep> {
    return this.#loop.run();
  }

  async #work(problems: SweepProblems): Promise<DeliverySweep> {
    const givenUp = await problems.attempt('give up old webhooks', () => this.#giveUp());
    await problems.attempt('find webhooks that wait for too long', () => this.#hurry());
    const removed = await problems.attempt('remove old webhooks', () => this.#remove());
    return { removed: removed ?? 0, givenUp: givenUp ?? 0, problems: problems.list };
  }

  /** Those that have been due for as long as a delivery is tried, while nothing has arrived at their endpoint. */
  #giveUp(): Promise<number> {
    const silent = `e.first_failed_at <= statement_timestamp() - $1 * interval '1 millisecond'`;
    return this.#inChunks(
      (schema) => `
        UPDATE ${schema}.webhook_deliveries d SET status = 'dead', finished_at = statement_timestamp()
        WHERE d.status = 'pending' AND d.id IN (
          SELECT w.id FROM ${schema}.webhook_endpoints e JOIN ${schema}.webhook_deliveries w ON w.endpoint_id = e.id
          WHERE e.status = 'enabled' AND ${silent} AND w.status = 'pending'
            AND w.next_attempt_at <= statement_timestamp() - $1 * interval '1 millisecond'
          LIMIT ${CHUNK} FOR UPDATE OF w SKIP LOCKED)
        RETURNING d.id`,
      [TRIED_FOR_MS],
    );
  }

  /** Times of the far future are from before PostgreSQL's clock was set back. */
  async #hurry(): Promise<void> {
    await this.#inChunks(
      (schema) => `
        UPDATE ${schema}.webhook_deliveries d SET next_attempt_at = statement_timestamp()
        WHERE d.id IN (
          SELECT w.id FROM ${schema}.webhook_lanes l JOIN ${schema}.webhook_deliveries w ON w.endpoint_id = l.endpoint_id
          WHERE w.status = 'pending' AND w.next_attempt_at > statement_timestamp() + ${LONGEST_WAIT}
          LIMIT ${CHUNK} FOR UPDATE OF w SKIP LOCKED)
        RETURNING d.id`,
      [],
    );
    await this.#inChunks(
      (schema) => `
        UPDATE ${schema}.webhook_lanes l SET next_at = statement_timestamp(), hold_until = NULL
        WHERE l.endpoint_id IN (
          SELECT endpoint_id FROM ${schema}.webhook_lanes
          WHERE next_at > statement_timestamp() + ${LONGEST_WAIT} LIMIT ${CHUNK} FOR UPDATE SKIP LOCKED)
        RETURNING l.endpoint_id AS id`,
      [],
    );
  }

  #remove(): Promise<number> {
    return this.#inChunks(
      (schema) => `
        DELETE FROM ${schema}.webhook_deliveries WHERE id IN (
          SELECT id FROM ${schema}.webhook_deliveries
          WHERE finished_at <= statement_timestamp() - $1 * interval '1 millisecond'
          ORDER BY finished_at LIMIT ${CHUNK} FOR UPDATE SKIP LOCKED)
        RETURNING id`,
      [this.options.deliveries.keepMs],
    );
  }

  async #inChunks(sql: (schema: string) => string, values: unknown[]): Promise<number> {
    const schema = quoteIdentifier(registrySchema(this.registry));
    for (let count = 0; ;) {
      const [rows] = await this.registry.query<[object[], number]>(sql(schema), values);
      count += rows.length;
      if (rows.length < CHUNK) return count;
    }
  }
}
