import { Module } from '@nestjs/common';
import { minutes, ThrottlerModule } from '@nestjs/throttler';
import { SignUpController } from './sign-up.controller';
import { SignUpService } from './sign-up.service';

@Module({
  imports: [ThrottlerModule.forRoot([{ limit: 10, ttl: minutes(1) }])],
  controllers: [SignUpController],
  providers: [SignUpService],
})
export class SignUpModule {}
