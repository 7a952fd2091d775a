import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FAULTS } from './faults';

/** `main.ts` as `nest new` writes it, with the module that the command line names. */
const [fault] = process.argv.slice(2);

@Module(FAULTS[fault]())
class AppModule {}

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(0);
}
void bootstrap();
