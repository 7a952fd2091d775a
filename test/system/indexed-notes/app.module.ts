import { Module } from '@nestjs/common';
import { fromHeader, TenancyModule } from 'nestjs-tenancy';
import { CreateNotes1700000000000, IndexNotes1700000001000 } from './migrations';

/** The new version, as the command line is pointed at it. */
@Module({
  imports: [
    TenancyModule.forRootAsync({
      useFactory: () => ({
        database: { url: process.env.DATABASE_URL },
        entities: [],
        migrations: [CreateNotes1700000000000, IndexNotes1700000001000],
        resolvers: [fromHeader('x-tenant-id')],
      }),
    }),
  ],
})
export class AppModule {}
