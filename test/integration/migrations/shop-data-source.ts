import 'reflect-metadata';
import { join } from 'node:path';
import { tenantDataSource } from '../../../lib';
import { SHOP } from './shop';

/** As a user writes it for `typeorm -d`. */
export default tenantDataSource({
  database: { url: process.env.SHOP_DATABASE_URL },
  entities: SHOP,
  migrations: [join(process.env.SHOP_MIGRATIONS ?? '', '*.ts')],
  templateSchema: 'my template',
});
