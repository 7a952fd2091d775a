import 'reflect-metadata';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FAULTS } from './faults';

/** `main.ts` as the documents write it, with the module that the command line names. */
const [fault] = process.argv.slice(2);

@Module(FAULTS[fault]())
class AppModule {}

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(0);
}
bootstrap().catch((error: unknown) => {
  // A start that fails ends with its one line, and not with Node's own words around it.
  new Logger('Start').fatal(error);
  process.exit(1);
});
