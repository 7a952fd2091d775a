import { Body, Controller, Post, UseGuards } from '@nestjs/common';
import { ApiCreatedResponse, ApiTags } from '@nestjs/swagger';
import { ThrottlerGuard } from '@nestjs/throttler';
import { TenantFree } from 'nestjs-tenancy';
import { Public } from 'nestjs-tenancy/access';
import { SignedUpDto, SignUpDto } from './sign-up.dto';
import { SignUpService } from './sign-up.service';

/** Open to everybody, so it is limited by address. */
@Controller('sign-up')
@TenantFree()
@Public()
@UseGuards(ThrottlerGuard)
@ApiTags('Sign-up')
export class SignUpController {
  constructor(private readonly service: SignUpService) {}

  @Post()
  @ApiCreatedResponse({ type: SignedUpDto })
  signUp(@Body() body: SignUpDto): Promise<SignedUpDto> {
    return this.service.signUp(body);
  }
}
