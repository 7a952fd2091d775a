import { type NestApplicationOptions, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { TenantContext } from 'nestjs-tenancy';
import { AppModule } from './app.module';
import { AppLogger } from './logging/app-logger';
import { logRequests } from './logging/log-requests';
import { serveOpenApi } from './open-api';

/** The application as it is served, and as it is tested. */
export async function createApp(
  logger = new AppLogger(),
  options: NestApplicationOptions = {},
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { ...options, logger });
  logger.nameTenants(app.get(TenantContext));
  app.use(logRequests(logger));
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true }));
  serveOpenApi(app);
  return app;
}
