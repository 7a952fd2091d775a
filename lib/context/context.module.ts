import { Module } from '@nestjs/common';
import { CurrentActor } from './current-actor';
import { TenantContext } from './tenant-context';

/** For whom the current code runs. */
@Module({ providers: [CurrentActor, TenantContext], exports: [CurrentActor, TenantContext] })
export class ContextModule {}
