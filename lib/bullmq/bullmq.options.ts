import { milliseconds, waiting } from '../common/options/kinds';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';

export const BULLMQ_OPTIONS = Symbol('BULLMQ_OPTIONS');

@OptionsRule<CheckedBullmqOptions>(({ holdMinMs, holdMaxMs }) => [
  holdMinMs > holdMaxMs && { field: 'holdMinMs', message: `is above holdMaxMs: ${holdMaxMs}` },
])
export class CheckedBullmqOptions {
  /**
   * How long a job waits for its tenant that is not active, or for a registry that is away, before it fails, in
   * milliseconds, an integer from 0. It begins when the job's turn first came. Default 604,800,000, a week.
   */
  @Option(milliseconds(0))
  readonly failHeldAfterMs: number = 604_800_000;

  /**
   * After how long such a job is tried again at first, in milliseconds, an integer from 100. Then each time after as long
   * as it has waited already. Default 10,000.
   */
  @Option(waiting(100))
  readonly holdMinMs: number = 10_000;

  /**
   * How long adding jobs waits for an answer of the queue's server before it fails with `QUEUE_UNAVAILABLE`, in milliseconds, an
   * integer from 100. Default 10,000.
   */
  @Option(waiting(100))
  readonly addTimeoutMs: number = 10_000;

  /** After how long it is tried again at the latest, in milliseconds, an integer from 100. Default 900,000. */
  @Option(waiting(100))
  readonly holdMaxMs: number = 900_000;
}

export type TenancyBullmqOptions = Given<CheckedBullmqOptions>;
