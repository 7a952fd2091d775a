import { Module } from '@nestjs/common';
import { SummariesController } from './summaries.controller';
import { SummariesJob } from './summaries.job';
import { SummariesService } from './summaries.service';

@Module({ controllers: [SummariesController], providers: [SummariesService, SummariesJob] })
export class SummariesModule {}
