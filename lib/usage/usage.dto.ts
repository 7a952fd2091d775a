import { IsString } from 'class-validator';
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
