import { ConfigService } from '@nestjs/config';
import { createApp } from './create-app';

async function bootstrap(): Promise<void> {
  const app = await createApp();
  app.enableShutdownHooks();
  await app.listen(app.get(ConfigService).get<string>('PORT', '3000'));
}

void bootstrap();
