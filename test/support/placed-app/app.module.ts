import { Module } from '@nestjs/common';
import { fromHeader, TenancyModule } from 'nestjs-tenancy';
import type { QueryRunner } from 'typeorm';

class CreateOrders1700000000000 {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE orders (id integer PRIMARY KEY)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE orders');
  }
}

/** An application whose tenants live on two servers. */
@Module({
  imports: [
    TenancyModule.forRootAsync({
      useFactory: () => ({
        database: { url: process.env.DATABASE_URL },
        servers: {
          eu: { url: process.env.EU_DATABASE_URL ?? '', adminUrl: process.env.EU_ADMIN_URL },
        },
        entities: [],
        migrations: [CreateOrders1700000000000],
        resolvers: [fromHeader('x-tenant-id')],
      }),
    }),
  ],
})
export class AppModule {}
