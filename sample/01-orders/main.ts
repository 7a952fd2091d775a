import { NestFactory } from '@nestjs/core';
import { startSample, TerseLogger } from '../start-sample';
import { AppModule } from './app.module';

startSample(() => NestFactory.create(AppModule, { abortOnError: false, logger: new TerseLogger() }));
