import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { createApp } from './create-app';

async function bootstrap(): Promise<void> {
  const app = await createApp();
  app.enableShutdownHooks();
  await app.listen(app.get(ConfigService).get<string>('PORT', '3000'));
}

bootstrap().catch((error: unknown) => {
  // A start that fails ends with its one line, and not with Node's own words around it.
  new Logger('Start').fatal(error);
  process.exit(1);
});
