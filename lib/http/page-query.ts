import { IsString, Matches } from './validation';
import { IfGiven } from './if-given.decorator';

export class PageQuery {
  @Matches(/^(?:[1-9]\d?|100)$/, { message: 'must be an integer from 1 to 100' })
  limit = '50';

  @IfGiven()
  @IsString()
  cursor?: string;
}
