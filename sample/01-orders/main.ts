import { NestFactory } from '@nestjs/core';
import { startSample } from '../start-sample';
import { AppModule } from './app.module';

startSample(() => NestFactory.create(AppModule, { abortOnError: false }));
