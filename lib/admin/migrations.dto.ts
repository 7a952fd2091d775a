import { Allow, IsArray, IsIn, IsInt, IsString, Matches, Max, Min } from '../http/validation';
import { IfGiven } from '../http/if-given.decorator';
import type { RunDirection } from '../migrations/migration-runs';

/** What the fleet's waves look like is checked by the migrator. */
export class MigrateBody {
  @IsIn(['up', 'down'])
  direction: RunDirection = 'up';

  /** Slugs, or how many of the oldest. */
  @Allow()
  canary?: string[] | number;

  @IfGiven()
  @IsArray()
  @IsInt({ each: true })
  percents?: number[];

  @IfGiven()
  @IsInt()
  @Min(1)
  @Max(100)
  concurrency?: number;

  @IfGiven()
  @IsInt()
  @Min(1)
  lockTimeoutMs?: number;

  @IfGiven()
  @IsInt()
  @Min(0)
  retries?: number;

  @IfGiven()
  @IsInt()
  @Min(0)
  maxFailures?: number;
}

export class DriftQuery {
  @IfGiven()
  @IsString()
  tenant?: string;

  @Matches(/^(?:0|[1-9]\d{0,2}|1000)$/, { message: 'must be an integer from 0 to 1000' })
  limit = '100';
}

/** A run that was begun: where to look for its end. */
export interface StartedRunView {
  /** `null`: there was nothing to do. */
  readonly id: string | null;
  readonly state: 'running' | 'done';
}
