import { Field, InputType } from '@nestjs/graphql';
import { ApiProperty } from '@nestjs/swagger';
import { IsNotEmpty, IsString, Matches, MaxLength } from 'class-validator';

@InputType()
export class CreateOrderDto {
  @Field()
  @ApiProperty({ example: '100 anvils' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(1000)
  @Matches(/^[^\0]*$/, { message: 'description must not contain NUL' })
  description!: string;
}
