/**
 * The first files of an application with tenants, by their names. `extension` is the ending of relative imports: `.js`
 * in an ES module.
 */
export const initFiles = (extension: '' | '.js'): Readonly<Record<string, string>> => ({
  'tenancy.options.ts': `import { fromHeader, fromSubdomain, type TenancyOptions } from 'nestjs-tenancy';

/** What the application and TypeORM's command line know of tenants. */
export const tenancyOptions: TenancyOptions = {
  database: { url: process.env.DATABASE_URL },
  // Every entity of your tenants. None of them names a schema.
  entities: [],
  // Your TypeORM migrations: they build the template, which each tenant is cloned from.
  migrations: [],
  // How a request names its tenant. The first claim decides.
  resolvers: [fromSubdomain('example.com'), fromHeader('x-tenant-id')],
};
`,
  'data-source.ts': `import { tenantDataSource } from 'nestjs-tenancy';
import { tenancyOptions } from './tenancy.options${extension}';

// For TypeORM's command line: npx typeorm migration:generate -d dist/data-source.js src/migrations/CreateOrders
export default tenantDataSource(tenancyOptions);
`,
});

export const INIT_STEPS: readonly string[] = [
  'import TenancyModule.forRoot(tenancyOptions) in your root module, once',
  'list your entities and your migrations in tenancy.options.ts',
  'add "tenancy": { "module": "dist/app.module.js#AppModule" } to package.json, where your build puts that file',
  'build, set DATABASE_URL, and run: npx tenancy doctor',
  'make the first tenant: npx tenancy tenant create acme',
];
