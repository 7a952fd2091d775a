import { Allow, IfGiven, IsArray, IsIn, IsInt, IsString, Matches, Max, Min } from '../http/validation';
import type { RunDirection } from '../migrations/migration-runs';

/** The migrator checks the numbers and the order of waves. */
export class MigrateBody {
  @IsIn(['up', 'down'])
  direction: RunDirection = 'up';

  /** Slugs, or how many of the oldest tenants. */
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

/** A run that was started, and where to read its result. */
export interface StartedRunView {
  /** `null` when there was nothing to do. */
  readonly id: string | null;
  readonly state: 'running' | 'done';
}
