import { IsString } from '../http/validation';
import { IfGiven } from '../http/if-given.decorator';

/** Whether they are days is for `UsageReports` to say. */
export class UsageQuery {
  @IfGiven()
  @IsString()
  from?: string;

  @IfGiven()
  @IsString()
  to?: string;
}
