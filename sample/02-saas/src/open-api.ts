import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { TenancyAccessModule, withApiKeyScheme } from 'nestjs-tenancy/access';
import { TenancySettingsModule } from 'nestjs-tenancy/settings';
import { TenancyUsageModule } from 'nestjs-tenancy/usage';
import { OrdersModule } from './orders/orders.module';
import { SignUpModule } from './sign-up/sign-up.module';
import { SummariesModule } from './summaries/summaries.module';

/** For tenants: without the admin API. */
const SHOWN = [
  SignUpModule,
  OrdersModule,
  SummariesModule,
  TenancyAccessModule,
  TenancySettingsModule,
  TenancyUsageModule,
];

/** The page is at `/docs`, the document at `/docs-json`. */
export function serveOpenApi(app: INestApplication): void {
  const config = withApiKeyScheme(new DocumentBuilder().setTitle('Orders').setVersion('1.0').build());
  const document = (): OpenAPIObject => SwaggerModule.createDocument(app, config, { include: SHOWN });
  SwaggerModule.setup('docs', app, document);
}
