import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { GraphQLModule } from '@nestjs/graphql';
import { ScheduleModule } from '@nestjs/schedule';
import { OperationsModule } from './operations/operations.module';
import { OrdersModule } from './orders/orders.module';
import { SignUpModule } from './sign-up/sign-up.module';
import { SummariesModule } from './summaries/summaries.module';
import { TenantsModule } from './tenants/tenants.module';

@Module({
  imports: [
    // Reads `.env`, also for what nestjs-tenancy takes from the environment: DATABASE_URL.
    ConfigModule.forRoot({ isGlobal: true }),
    ScheduleModule.forRoot(),
    GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      // No resolver answers it, so no guard stands before it.
      introspection: process.env.NODE_ENV !== 'production',
    }),
    TenantsModule,
    OperationsModule,
    SignUpModule,
    OrdersModule,
    SummariesModule,
  ],
})
export class AppModule {}
