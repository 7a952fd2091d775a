import { IsNotEmpty, IsString, Matches, MaxLength } from 'class-validator';

export class CreateOrderDto {
  @IsString()
  @IsNotEmpty()
  @MaxLength(1000)
  @Matches(/^[^\0]*$/, { message: 'description must not contain NUL' })
  description!: string;
}
