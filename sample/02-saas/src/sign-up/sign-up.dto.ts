import { ApiProperty } from '@nestjs/swagger';
import { IsOptional, IsString } from 'class-validator';

/** What makes a good slug and a good name, the provisioner knows; it names the field. */
export class SignUpDto {
  @ApiProperty({ example: 'acme' })
  @IsString()
  slug!: string;

  @ApiProperty({ required: false, example: 'Acme Inc.' })
  @IsOptional()
  @IsString()
  name?: string;
}

export class SignedUpDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;

  @ApiProperty({ example: 'acme' })
  slug!: string;

  @ApiProperty({ example: 'Acme Inc.' })
  name!: string;

  /** Shown this once. */
  @ApiProperty({ example: 'sk_…' })
  apiKey!: string;
}
