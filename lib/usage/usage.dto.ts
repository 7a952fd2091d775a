import { IfGiven, IsString } from '../http/validation';

/** `UsageReports` checks whether they are days. */
export class UsageQuery {
  @IfGiven()
  @IsString()
  from?: string;

  @IfGiven()
  @IsString()
  to?: string;
}
