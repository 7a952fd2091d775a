import { IsString } from '../http/validation';
import { IfGiven } from '../http/if-given.decorator';

/** `UsageReports` checks whether they are days. */
export class UsageQuery {
  @IfGiven()
  @IsString()
  from?: string;

  @IfGiven()
  @IsString()
  to?: string;
}
