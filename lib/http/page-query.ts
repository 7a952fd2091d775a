import { IfGiven, IsString, Matches } from './validation';

export class PageQuery {
  @Matches(/^(?:[1-9]\d?|100)$/, { message: 'must be an integer from 1 to 100' })
  limit = '50';

  @IfGiven()
  @IsString()
  cursor?: string;
}
